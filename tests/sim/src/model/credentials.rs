//! Tokens and invites: who may act as whom, and who may come to.

use coordhub_core::{
    Timestamp,
    command::{Expiry, IssueToken, Join, MakeInvite, Role, RotateToken},
    ids::{EntityId, InviteId, TokenId},
    limits::{INVITE_SECONDS_MAX, INVITE_USES_MAX},
    model::EntityType,
    secret::SecretHash,
};

use super::{Answer, Audience, Feed, Model, Refused, Told, Who};

/// A token that is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// As whom its holder acts.
    pub entity_id: EntityId,
    /// What its holder may do.
    pub role: Role,
    /// What people call it.
    pub name: String,
    /// What it takes to show it.
    pub secret: SecretHash,
    /// The invite that it came of.
    pub invite: Option<InviteId>,
    /// Whether it was ever shown.
    pub is_used: bool,
    /// Whether somebody changed its secret.
    pub is_rotated: bool,
}

/// An invite that was not revoked.
#[derive(Clone, Debug, PartialEq)]
pub struct Invite {
    /// What people call it, and the tokens that come of it.
    pub name: String,
    /// As what one may register.
    pub types: Vec<EntityType>,
    /// Under which ids; any, where there is none.
    pub ids: Vec<EntityId>,
    /// What the tokens that come of it may do.
    pub role: Role,
    /// How many may register with it, and how many have.
    pub uses: (u64, u64),
    /// Until when.
    pub expires_at: Timestamp,
    /// What it takes to show it.
    pub secret: SecretHash,
}

/// A secret that was good once, and what it then gave.
pub type Shown = (SecretHash, EntityId, Role);

impl Model {
    /// Whether somebody who shows this is known by it.
    pub(super) fn is_good(&self, secret: SecretHash) -> bool {
        self.tokens.values().any(|token| token.secret == secret)
    }

    pub(super) fn make_invite(
        &mut self,
        who: Who<'_>,
        command: &MakeInvite,
        feed: &Feed<'_>,
    ) -> Answer {
        let longest = INVITE_SECONDS_MAX * 1_000;
        let end = match command.expires {
            Expiry::At(at) => at.millis() - self.now.millis(),
            Expiry::In(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000),
        };
        let is_wrong = command.name.trim().is_empty()
            || command.entity_types.is_empty()
            || !(1..=INVITE_USES_MAX).contains(&command.uses_max)
            || !(1..=longest).contains(&end);
        check_admin(who, is_wrong)?;
        let expires_at = self.now.plus_millis(end);
        let invite = Invite {
            name: command.name.clone(),
            types: command.entity_types.clone(),
            ids: command.entity_ids.clone(),
            role: command.role,
            uses: (command.uses_max, 0),
            expires_at,
            secret: command.hash,
        };
        // Where the log has none, the hub and the model disagree, which shows when that is settled.
        let id = feed.invite_id().unwrap_or_else(|| InviteId::parse("nowhere").expect("an id"));
        self.invites.insert(id.clone(), invite);
        self.note("invite_made", id.as_str(), Audience::Admins);
        Ok(Told::Invite(id))
    }

    pub(super) fn revoke_invite(&mut self, who: Who<'_>, id: &InviteId) -> Answer {
        check_admin(who, false)?;
        if self.invites.remove(id).is_none() {
            return Err(Refused::one(404, "unknown_invite"));
        }
        self.note("invite_revoked", id.as_str(), Audience::Admins);
        Ok(Told::Done)
    }

    /// Comes to by an invite: for the first time, or once more as long as nobody has used the token.
    pub(super) fn join(&mut self, command: &Join, feed: &Feed<'_>) -> Answer {
        let Join { register, invite: secret, token: hash } = command;
        let id = &register.entity_id;
        let found = self.invites.iter().find(|(_, invite)| invite.secret == *secret);
        let mut refused = self.check_said(register);
        let Some((invite_id, invite)) = found.map(|(id, invite)| (id.clone(), invite.clone()))
        else {
            refused.add(true, 403, "invite_refused");
            refused.check()?;
            unreachable!("it is refused");
        };
        refused.add(invite.expires_at <= self.now, 403, "invite_refused");
        if let Some(known) = self.entities.get(id) {
            let unused = self.tokens.iter().find(|(_, token)| {
                token.entity_id == *id
                    && token.invite.as_ref() == Some(&invite_id)
                    && !token.is_used
                    && !token.is_rotated
            });
            // An invite for several may be in several hands.
            let unused = unused.filter(|_| invite.uses.0 == 1).map(|(id, _)| id.clone());
            refused.add(unused.is_none(), 403, "invite_refused");
            refused.add(known.entity_type != register.entity_type, 409, "type_is_fixed");
            refused.check()?;
            let token_id = unused.expect("it was looked for");
            self.update_entity(register);
            let token = self.tokens.get_mut(&token_id).expect("it is there");
            let was = std::mem::replace(&mut token.secret, *hash);
            self.past_secrets.push((was, token.entity_id.clone(), token.role));
            self.note("token_rotated", token_id.as_str(), Audience::Admins);
            self.touch(id);
            return Ok(Told::Joined(id.clone(), token_id));
        }
        let is_wanted = invite.types.contains(&register.entity_type)
            && (invite.ids.is_empty() || invite.ids.contains(id))
            && invite.uses.1 < invite.uses.0;
        refused.add(!is_wanted, 403, "invite_refused");
        refused.add(self.removed.contains(id), 403, "not_allowed");
        refused.check()?;
        self.register_first(register);
        self.invites.get_mut(&invite_id).expect("it is there").uses.1 += 1;
        let token = Token {
            entity_id: id.clone(),
            role: invite.role,
            name: invite.name,
            secret: *hash,
            invite: Some(invite_id),
            is_used: false,
            is_rotated: false,
        };
        let token_id = self.issue(token, feed);
        self.touch(id);
        Ok(Told::Joined(id.clone(), token_id))
    }

    pub(super) fn issue_token(
        &mut self,
        who: Who<'_>,
        command: &IssueToken,
        feed: &Feed<'_>,
    ) -> Answer {
        let id = &command.entity_id;
        let is_hubs_own = *id == EntityId::admin();
        let is_wrong =
            command.name.trim().is_empty() || (is_hubs_own && command.role != Role::Admin);
        check_admin(who, is_wrong)?;
        if !is_hubs_own && !self.entities.contains_key(id) {
            return Err(Refused::one(404, "unknown_entity"));
        }
        let token = Token {
            entity_id: id.clone(),
            role: command.role,
            name: command.name.clone(),
            secret: command.hash,
            invite: None,
            is_used: false,
            is_rotated: false,
        };
        Ok(Told::Token(self.issue(token, feed)))
    }

    /// Another secret for a token, at an admin's word or at that of whoever shows it.
    pub(super) fn rotate_token(
        &mut self,
        who: Who<'_>,
        shown: Option<SecretHash>,
        command: &RotateToken,
    ) -> Answer {
        let id = &command.token_id;
        let known = self.tokens.get_mut(id);
        let is_own = known.as_ref().is_some_and(|token| Some(token.secret) == shown);
        if !is_own {
            check_admin(who, false)?;
        }
        let Some(token) = known else { return Err(Refused::one(404, "unknown_token")) };
        let was = (token.secret, token.entity_id.clone(), token.role);
        token.secret = command.hash;
        token.is_rotated = true;
        self.past_secrets.push(was);
        self.note("token_rotated", id.as_str(), Audience::Admins);
        Ok(Told::Token(id.clone()))
    }

    pub(super) fn revoke_token(&mut self, who: Who<'_>, id: &TokenId) -> Answer {
        check_admin(who, false)?;
        let Some(token) = self.tokens.get(id) else {
            return Err(Refused::one(404, "unknown_token"));
        };
        let of_the_same = self.tokens.values().filter(|other| other.entity_id == token.entity_id);
        if token.entity_id == EntityId::admin() && of_the_same.count() == 1 {
            return Err(Refused::one(409, "last_admin_token"));
        }
        self.revoke(id);
        Ok(Told::Done)
    }

    pub(super) fn use_token(&mut self, id: &TokenId) -> Answer {
        let Some(token) = self.tokens.get_mut(id) else {
            return Err(Refused::one(404, "unknown_token"));
        };
        if !std::mem::replace(&mut token.is_used, true) {
            self.note("token_used", id.as_str(), Audience::Admins);
        }
        Ok(Told::Done)
    }

    /// Whoever is removed acts no more.
    pub(super) fn revoke_all_of(&mut self, entity: &EntityId) {
        let of_it = self.tokens.iter().filter(|(_, token)| token.entity_id == *entity);
        let ids: Vec<TokenId> = of_it.map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.revoke(id));
    }

    fn revoke(&mut self, id: &TokenId) {
        let token = self.tokens.remove(id).expect("it is there");
        self.past_secrets.push((token.secret, token.entity_id, token.role));
        self.note("token_revoked", id.as_str(), Audience::Admins);
    }

    fn issue(&mut self, token: Token, feed: &Feed<'_>) -> TokenId {
        let id = feed.token_id().unwrap_or_else(|| TokenId::parse("nowhere").expect("an id"));
        self.tokens.insert(id.clone(), token);
        self.note("token_issued", id.as_str(), Audience::Admins);
        id
    }

    /// What a client knows who was told: which secrets are good, and for what.
    pub fn good_secrets(&self) -> Vec<Shown> {
        let good = self.tokens.values();
        good.map(|token| (token.secret, token.entity_id.clone(), token.role)).collect()
    }
}

/// Only an admin does this; whether that or a wrong field is told first is left open.
fn check_admin(who: Who<'_>, is_wrong: bool) -> Result<(), Refused> {
    let mut reasons = Vec::new();
    if is_wrong {
        reasons.push((422, "invalid_field"));
    }
    if !who.is_admin {
        reasons.push((403, "not_allowed"));
    }
    if reasons.is_empty() { Ok(()) } else { Err(Refused::either(&reasons)) }
}
