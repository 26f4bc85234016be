//! Cuts a failing sequence down to the steps that are needed for it.

use super::{
    play::{Failure, Kind, replay},
    step::Step,
};

/// How many tries a sequence is worth.
const TRIES_MAX: usize = 2_000;

/// The same failure, or one like it, with as few steps as was found.
pub fn shrink(failure: &Failure) -> Failure {
    let kind = failure.kind;
    let mut best = Failure { steps: taken_apart(&failure.steps), ..failure.clone() };
    match replay(kind, &best.steps) {
        Err((at, why)) => {
            best.steps.truncate(at + 1);
            best.why = why;
        }
        // Together the commands of a burst do what they do not one by one.
        Ok(()) => best = failure.clone(),
    }
    let mut tries = 0;
    let mut size = best.steps.len() / 2;
    while size > 0 && tries < TRIES_MAX {
        let mut at = 0;
        while at < best.steps.len() && tries < TRIES_MAX {
            tries += 1;
            let end = (at + size).min(best.steps.len());
            let mut fewer = best.steps.clone();
            fewer.drain(at..end);
            match replay(kind, &fewer) {
                Err((last, why)) if is_like(&why, &best.why) => {
                    fewer.truncate(last + 1);
                    best.steps = fewer;
                    best.why = why;
                }
                _ => at += size,
            }
        }
        size /= 2;
    }
    thin_bursts(kind, &mut best);
    best
}

/// Takes single commands out of bursts.
fn thin_bursts(kind: Kind, best: &mut Failure) {
    for at in 0..best.steps.len() {
        let mut nth = 0;
        while let Some(Step::Burst(asks)) = best.steps.get(at)
            && asks.len() > 1
            && nth < asks.len()
        {
            let mut asks = asks.clone();
            asks.remove(nth);
            let mut fewer = best.steps.clone();
            fewer[at] = Step::Burst(asks);
            match replay(kind, &fewer) {
                Err((last, why)) if is_like(&why, &best.why) => {
                    fewer.truncate(last + 1);
                    best.steps = fewer;
                    best.why = why;
                }
                _ => nth += 1,
            }
        }
    }
}

/// Bursts as single calls.
fn taken_apart(steps: &[Step]) -> Vec<Step> {
    let apart = |step: &Step| match step {
        Step::Burst(asks) => asks.iter().cloned().map(Step::Call).collect(),
        step => vec![step.clone()],
    };
    steps.iter().flat_map(apart).collect()
}

/// Whether two failures are of one sort: they say the same but for ids and numbers.
fn is_like(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let letters = |word: &&str| word.chars().all(|c| c.is_alphabetic() || c == '_');
        text.split_whitespace().filter(letters).take(4).map(str::to_owned).collect()
    };
    words(one) == words(other)
}
