//! Plays sequences, made from a seed or given.

use std::fmt;

use super::{
    Rng,
    engine_player::EnginePlayer,
    generate::{Generator, Powers, Theme},
    ids::Labels,
    pure_player::PurePlayer,
    step::Step,
};
use crate::model::{Mismatch, Model};

/// Which hub plays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The pure hub.
    Pure,
    /// The engine with its store in memory.
    Memory,
    /// The engine with its store in a file.
    Disk,
}

/// Plays steps to one hub and to the model.
pub(super) trait Player {
    /// Plays a step.
    fn play(&mut self, step: &Step) -> Result<(), Mismatch>;
    /// How things stand.
    fn model(&self) -> &Model;
    /// What stands for ids that the hub made.
    fn labels(&self) -> &Labels;
    /// What it can play.
    fn powers(&self) -> Powers;
}

fn player(kind: Kind) -> Box<dyn Player> {
    match kind {
        Kind::Pure => Box::new(PurePlayer::new()),
        Kind::Memory => Box::new(EnginePlayer::new(false)),
        Kind::Disk => Box::new(EnginePlayer::new(true)),
    }
}

impl Kind {
    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

/// A sequence in which hub and model disagree.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which hub played.
    pub kind: Kind,
    /// How many steps were asked for.
    pub length: usize,
    /// What was made from.
    pub seed: u64,
    /// The steps up to where they disagree.
    pub steps: Vec<Step>,
    /// In what.
    pub why: String,
}

/// What it takes to see it again: the steps, one a line, and the command line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, length, seed, steps, why } = self;
        writeln!(f, "seed {seed}: {why}")?;
        for step in steps {
            match step {
                Step::Burst(asks) => {
                    writeln!(f, "  Burst")?;
                    asks.iter().try_for_each(|ask| writeln!(f, "    {ask:?}"))?;
                }
                step => writeln!(f, "  {step:?}")?,
            }
        }
        let kind = kind.as_str();
        write!(
            f,
            "again: cargo run -p coordhub-sim -- --hub {kind} --seed {seed} --sequences 1 --steps {length}"
        )
    }
}

/// What was played.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// How many steps.
    pub steps: usize,
    /// How many events there were.
    pub events: u64,
}

/// Makes and plays the sequence of a seed.
pub fn run(kind: Kind, seed: u64, length: usize) -> Result<Report, Failure> {
    let mut player = player(kind);
    let mut rng = Rng::new(seed);
    let theme = Theme::of(seed);
    let mut steps = Vec::new();
    let mut label = 0;
    for nth in 0..=length {
        let (model, labels) = (player.model(), player.labels());
        let mut generator = Generator { rng: &mut rng, model, labels, theme, label };
        let step = if nth == length { Step::Look } else { generator.step(player.powers()) };
        label = generator.label;
        steps.push(step);
        let step = steps.last().expect("one was added");
        if let Err(Mismatch(why)) = guarded(&mut *player, step) {
            return Err(Failure { kind, length, seed, steps, why });
        }
    }
    Ok(Report { steps: steps.len(), events: player.model().head })
}

/// Plays given steps again. In what hub and model disagree, and after how many steps.
pub fn replay(kind: Kind, steps: &[Step]) -> Result<(), (usize, String)> {
    let mut player = player(kind);
    for (nth, step) in steps.iter().enumerate() {
        guarded(&mut *player, step).map_err(|Mismatch(why)| (nth, why))?;
    }
    Ok(())
}

/// A panic is a disagreement as well.
fn guarded(player: &mut dyn Player, step: &Step) -> Result<(), Mismatch> {
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| player.play(step)));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Mismatch(format!("a panic: {}", text.unwrap_or_default())))
    })
}
