//! Commands about tokens and invites, and who shows which.

use coordhub_core::{
    command::{Command, Expiry, IssueToken, Join, MakeInvite, Register, Role, RotateToken},
    ids::{EntityId, InviteId, TokenId},
    limits::INVITE_USES_MAX,
    model::EntityType,
    secret::SecretHash,
};

use super::{CAST, Generator, entity};
use crate::model::Shown;

impl Generator<'_> {
    /// The token that somebody shows: now and then one that is good no more.
    pub(super) fn shown(&mut self) -> Option<Shown> {
        let model = self.model;
        let n = self.rng.below(100);
        let known = match n {
            0..=34 => model.good_secrets(),
            35..=37 => model.past_secrets.clone(),
            _ => return None,
        };
        if known.is_empty() { None } else { Some(self.rng.pick(&known).clone()) }
    }

    pub(super) fn credential_command(
        &mut self,
        caller: Option<EntityId>,
    ) -> (Option<EntityId>, Command) {
        let n = self.rng.below(100);
        let command = match n {
            0..=19 => self.make_invite(),
            20..=49 => {
                let join = self.join();
                return (Some(join.register.entity_id.clone()), Command::Join(join));
            }
            50..=54 => Command::RevokeInvite(self.an_invite()),
            55..=69 => self.issue_token(),
            70..=81 => {
                let (token_id, hash) = (self.a_credential(), self.secret());
                Command::RotateToken(RotateToken { token_id, hash })
            }
            82..=91 => Command::RevokeToken(self.a_credential()),
            _ => Command::UseToken(self.a_credential()),
        };
        (caller, command)
    }

    fn make_invite(&mut self) -> Command {
        let mut entity_types = self.rng.some(EntityType::ALL, 60);
        if self.rng.percent(95) && entity_types.is_empty() {
            entity_types = EntityType::ALL.to_vec();
        }
        let expires = match self.rng.below(12) {
            0 => Expiry::At(self.model.now.plus_millis(self.span() - 1)),
            1 => Expiry::At(self.model.now.plus_millis(-self.span())),
            2 => Expiry::In(0),
            3 => Expiry::In(366 * 86_400 + self.rng.below(2) as u64),
            4..=6 => Expiry::In(60),
            _ => Expiry::In(7 * 86_400),
        };
        Command::MakeInvite(MakeInvite {
            name: self.credential_name(),
            entity_types,
            entity_ids: if self.rng.percent(30) { self.some_entities() } else { Vec::new() },
            role: self.role(),
            uses_max: *self.rng.pick(&[1, 1, 1, 2, 3, INVITE_USES_MAX, 0, INVITE_USES_MAX + 1]),
            expires,
            hash: self.secret(),
        })
    }

    /// With an invite that there is, one that there was, or its own.
    fn join(&mut self) -> Join {
        let (name, kinds) = *self.rng.pick(&CAST[..CAST.len() - 1]);
        let kinds = if self.rng.percent(10) { EntityType::ALL } else { kinds };
        let invites: Vec<SecretHash> =
            self.model.invites.values().map(|invite| invite.secret).collect();
        let is_good = !invites.is_empty() && self.rng.percent(95);
        let invite = if is_good { *self.rng.pick(&invites) } else { self.secret() };
        let register = Register {
            entity_id: entity(name),
            entity_type: *self.rng.pick(kinds),
            name: self.rng.percent(20).then(|| format!("{name} the {}", self.rng.below(3))),
            capabilities: self.skills(60),
            metadata: self.metadata(),
        };
        Join { register, invite, token: self.secret() }
    }

    fn issue_token(&mut self) -> Command {
        let registered: Vec<EntityId> = self.model.entities.keys().cloned().collect();
        let entity_id = match self.rng.below(10) {
            0..=1 => EntityId::admin(),
            2..=8 if !registered.is_empty() => self.rng.pick(&registered).clone(),
            _ => self.somebody(),
        };
        let is_fitting = entity_id == EntityId::admin() && self.rng.percent(80);
        let role = if is_fitting { Role::Admin } else { self.role() };
        let (name, hash) = (self.credential_name(), self.secret());
        Command::IssueToken(IssueToken { entity_id, role, name, hash })
    }

    fn credential_name(&mut self) -> String {
        self.rng.word(&["laptop", "script", "for a guest", "phone", "desk", " "]).to_owned()
    }

    fn role(&mut self) -> Role {
        *self.rng.pick(&[Role::Member, Role::Member, Role::Member, Role::Observer, Role::Admin])
    }

    /// A secret that nobody had before: each command makes one at most.
    fn secret(&mut self) -> SecretHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.label.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.rng.next_u64().to_be_bytes());
        SecretHash::new(bytes)
    }

    fn a_credential(&mut self) -> TokenId {
        let all: Vec<TokenId> = self.model.tokens.keys().cloned().collect();
        if all.is_empty() || self.rng.percent(5) {
            return TokenId::parse("no-such-token").expect("an id");
        }
        self.rng.pick(&all).clone()
    }

    fn an_invite(&mut self) -> InviteId {
        let all: Vec<InviteId> = self.model.invites.keys().cloned().collect();
        if all.is_empty() || self.rng.percent(5) {
            return InviteId::parse("no-such-invite").expect("an id");
        }
        self.rng.pick(&all).clone()
    }
}
