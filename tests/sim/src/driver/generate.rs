//! Steps at random: a handful of callers, few ids, so that things collide.

mod tasks;
mod messages;
mod proposals;
mod credentials;

use coordhub_core::{
    JsonText,
    command::{Command, Key, Register, Remove, Role},
    ids::EntityId,
    model::EntityType,
};

use super::{
    Rng,
    ids::Labels,
    step::{Ask, Fault, Step},
};
use crate::model::Model;

/// What a sequence is mostly about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Theme {
    /// A bit of everything.
    All,
    /// Tasks, claims, leases.
    Tasks,
    /// Messages, channels, roll-calls.
    Messages,
    /// Proposals.
    Proposals,
    /// Tokens and invites.
    Credentials,
}

impl Theme {
    /// The theme of a seed.
    pub fn of(seed: u64) -> Self {
        use Theme::{All, Credentials, Messages, Proposals, Tasks};
        [All, Tasks, Messages, Tasks, Proposals, Credentials][(seed % 6) as usize]
    }
}

/// What a player can play.
#[derive(Clone, Copy, Debug)]
pub(super) struct Powers {
    /// Whether it is the whole engine, which can fail, and where one can wait.
    pub(super) is_engine: bool,
    /// Whether it can be stopped and started.
    pub(super) has_file: bool,
}

/// Who there is, and the types that they may register as; the last never registers.
const CAST: [(&str, &[EntityType]); 8] = [
    ("ada", &[EntityType::Human]),
    ("eve", &[EntityType::Human]),
    ("bo", &[EntityType::AiAgent]),
    ("cy", &[EntityType::ClaudeSession]),
    ("di", &[EntityType::AiAgent]),
    ("sam", &[EntityType::Service]),
    ("dan", EntityType::ALL),
    ("ghost", &[]),
];

/// What tasks need and entities can do.
const SKILLS: [&str; 3] = ["rust", "sql", "art"];

/// Makes steps.
pub(super) struct Generator<'a> {
    /// Where chance comes from.
    pub(super) rng: &'a mut Rng,
    /// How things stand.
    pub(super) model: &'a Model,
    /// What stands for ids that the hub made.
    pub(super) labels: &'a Labels,
    /// What it is mostly about.
    pub(super) theme: Theme,
    /// The label of the next command.
    pub(super) label: u32,
}

impl Generator<'_> {
    /// One step more.
    pub(super) fn step(&mut self, powers: Powers) -> Step {
        let n = self.rng.below(1_000);
        match n {
            0..=69 => Step::Pass(self.span()),
            70..=79 => Step::Jump(self.jump()),
            80..=89 => Step::Socket(self.somebody(), self.rng.percent(60)),
            90..=99 if powers.has_file => Step::Restart,
            100..=139 if !powers.is_engine => Step::Commit,
            100..=104 if powers.has_file => Step::Kill,
            105..=124 if powers.is_engine => {
                use Fault::{Disk, Panic, Refused, SyncKept, SyncLost};
                Step::Fault(*self.rng.pick(&[Disk, SyncKept, SyncLost, Refused, Panic]))
            }
            125..=129 if powers.is_engine => Step::Leave,
            130..=134 if powers.is_engine => {
                let mut ask = self.ask();
                ask.command = self.claim_next();
                Step::Lost(ask)
            }
            140..=149 => Step::Look,
            150..=299 => {
                let count = 2 + self.rng.below(5);
                Step::Burst((0..count).map(|_| self.ask()).collect())
            }
            _ => Step::Call(self.ask()),
        }
    }

    /// One command, and who asks for it.
    pub(super) fn ask(&mut self) -> Ask {
        let label = self.label;
        self.label += 1;
        let named = if self.rng.percent(96) { Some(self.somebody()) } else { None };
        let mut role = if self.rng.percent(3) { Role::Admin } else { Role::Member };
        let shown = self.shown();
        let named = shown.as_ref().map_or(named, |(_, id, _)| Some(id.clone()));
        let (mut caller, mut command) = self.command(named);
        let mut token = None;
        match (&command, shown) {
            // Tokens and invites are an admin's affair, mostly.
            (Command::Join(_), _) => role = Role::Member,
            (Command::MakeInvite(_) | Command::IssueToken(_) | Command::RevokeToken(_), None)
                if self.rng.percent(80) =>
            {
                role = Role::Admin
            }
            (_, Some((secret, id, of))) => {
                (caller, role, token) = (Some(id), of, Some(secret));
            }
            _ => {}
        }
        self.labels.put_labels(&mut command);
        let mut key = self.rng.percent(12).then(|| self.key(&command));
        // What becomes of whoever waits when its token is revoked is not modelled.
        let waits =
            matches!(command, Command::ClaimNext(_)) && token.is_none() && self.rng.percent(50);
        if waits && let Some(key) = &mut key {
            // Two that wait under one key at the same time are not modelled.
            key.key = format!("wait-{label}");
        }
        let wait_seconds = if waits { *self.rng.pick(&[1, 5, 30, 60]) } else { 0 };
        Ask { label, caller, role, token, command, key, wait_seconds }
    }

    fn command(&mut self, caller: Option<EntityId>) -> (Option<EntityId>, Command) {
        let unborn = self.model.entities.len() < 4;
        let n = self.rng.below(100);
        if n < 4 || (unborn && n < 50) {
            let (caller, command) = self.register();
            return (Some(caller), command);
        }
        if n < 6 {
            let entity_id = match &caller {
                Some(id) if self.rng.percent(80) => id.clone(),
                _ => self.somebody(),
            };
            return (caller, Command::Remove(Remove { entity_id }));
        }
        let of_theme = self.rng.percent(80);
        let theme = match (self.theme, of_theme) {
            (Theme::All, _) | (_, false) => {
                use Theme::{Credentials, Messages, Proposals, Tasks};
                *self.rng.pick(&[Tasks, Tasks, Tasks, Messages, Messages, Proposals, Credentials])
            }
            (theme, true) => theme,
        };
        match theme {
            Theme::Messages => self.message_command(caller),
            Theme::Proposals => (caller, self.proposal_command()),
            Theme::Credentials => self.credential_command(caller),
            Theme::Tasks | Theme::All => self.task_command(caller),
        }
    }

    fn register(&mut self) -> (EntityId, Command) {
        let (name, kinds) = *self.rng.pick(&CAST[..CAST.len() - 1]);
        let id = entity(name);
        let kinds = if self.rng.percent(4) { EntityType::ALL } else { kinds };
        let register = Register {
            entity_id: id.clone(),
            entity_type: *self.rng.pick(kinds),
            name: self.rng.percent(20).then(|| format!("{name} the {}", self.rng.below(3))),
            capabilities: self.skills(60),
            metadata: self.metadata(),
        };
        (id, Command::Register(register))
    }

    /// The same few keys again and again, on a few routes, with arguments that often are the same.
    fn key(&mut self, command: &Command) -> Key {
        let text = format!("{command:?}");
        let route = text.split(['(', ' ']).next().unwrap_or_default().to_owned();
        // A fingerprint of its own now and then: other arguments under the same key.
        let fingerprint = if self.rng.percent(50) { 0 } else { fingerprint(&text) };
        Key { route, key: format!("key-{}", self.rng.below(3)), fingerprint }
    }

    fn somebody(&mut self) -> EntityId {
        let (name, _) = *self.rng.pick(&CAST);
        entity(name)
    }

    fn skills(&mut self, chance: u64) -> Vec<String> {
        self.rng.some(&SKILLS.map(str::to_owned), chance)
    }

    fn metadata(&mut self) -> JsonText {
        match self.rng.below(4) {
            0 => json(&format!("{{\"n\":{}}}", self.rng.below(3))),
            _ => JsonText::empty_object(),
        }
    }

    /// A stretch of time: a moment, a lease, a day.
    fn span(&mut self) -> i64 {
        let due = self.model.next_due().map_or(0, |at| at.millis() - self.model.now.millis());
        match self.rng.below(10) {
            // To what is due next, a moment before it, or after.
            0..=2 if due > 0 => due,
            3 if due > 1 => due - 1,
            4 if due > 0 => due + 1,
            _ => *self.rng.pick(&[
                1,
                999,
                1_000,
                2_000,
                5_000,
                20_000,
                61_000,
                300_000,
                900_000,
                3_600_000,
                14_400_000,
                86_400_000,
                260_000_000,
            ]),
        }
    }

    fn jump(&mut self) -> i64 {
        *self.rng.pick(&[
            500, 1_001, 5_000, 60_000, 600_000, 3_600_000, 3_700_000, 90_000_000, -500, -5_000,
            -120_000, -4_000_000,
        ])
    }
}

/// An entity's id.
fn entity(name: &str) -> EntityId {
    EntityId::parse(name).expect("an id")
}

fn json(text: &str) -> JsonText {
    JsonText::parse(text).expect("JSON")
}

fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
