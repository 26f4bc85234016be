//! Deciding about tokens and invites: who may act as whom, and who may come to.

use std::sync::Arc;

use super::{Answer, Credentials, Decision, Desk, Rejection};
use crate::{
    command::{Auth, Command, Expiry, IssueToken, Join, MakeInvite, Role, RotateToken},
    event::{Event, InviteMade, InviteRevoked, TokenIssued, TokenRevoked, TokenRotated, TokenUsed},
    ids::{EntityId, InviteId, TokenId},
    limits::{INVITE_SECONDS_MAX, INVITE_USES_MAX, INVITES_MAX, TOKENS_MAX},
    model::{Entity, Invite, Token},
    secret::SecretHash,
};

/// What a token says of itself beside its secret.
struct Grant<'a> {
    entity_id: &'a EntityId,
    role: Role,
    name: &'a str,
    created_by: Option<&'a EntityId>,
    invite_id: Option<&'a InviteId>,
}

impl Desk<'_> {
    fn credentials(&self) -> &Credentials {
        self.state.credentials()
    }

    /// Whether the caller may change anything at all: its token is good still, and lets it.
    ///
    /// The edge has looked already. Since then the token may have been revoked, and a revocation that
    /// was answered holds for everything that is decided after it.
    pub(super) fn check_token(&self) -> Result<(), Rejection> {
        let caller = &self.envelope.caller;
        // Nothing is gained by keeping what its claimer never heard of.
        if matches!(self.envelope.command, Command::ReturnClaim(_)) {
            return Ok(());
        }
        if caller.token.is_some() && self.shown_token().is_none() {
            return Err(Rejection::TokenRevoked);
        }
        if caller.role == Role::Observer {
            return Err(Rejection::Observer);
        }
        Ok(())
    }

    /// The token that the caller shows, where it is good.
    fn shown_token(&self) -> Option<&Arc<Token>> {
        self.credentials().token_by_hash(self.envelope.caller.token.as_ref()?)
    }

    /// In token mode nobody registers without an invite, but at an admin's word.
    pub(super) fn check_uninvited(&self, id: &EntityId) -> Result<(), Rejection> {
        let caller = &self.envelope.caller;
        let needs_invite = caller.auth == Auth::Token && caller.role != Role::Admin;
        if needs_invite && self.state.entity(id).is_none() {
            return Err(Rejection::InviteNeeded);
        }
        Ok(())
    }

    pub(super) fn join(&self, command: &Join) -> Result<Decision, Rejection> {
        let Join { register, invite, token: hash } = command;
        let id = &register.entity_id;
        let name = self.checked_name(register)?;
        let gone = "the invite was revoked; ask for another";
        let invite = self.credentials().invite_by_hash(invite).ok_or_else(|| refused(gone))?;
        if invite.expires_at <= self.now {
            let detail = format!("the invite expired at {}; ask for another", invite.expires_at);
            return Err(Rejection::InviteRefused(detail));
        }
        if let Some(known) = self.state.entity(id) {
            let known = known.clone();
            let token = self.unused_token_of(invite, &known)?;
            let mut events = self.update(register, &known, name)?;
            events.push(Event::TokenRotated(TokenRotated {
                token_id: token.token_id.clone(),
                entity_id: id.clone(),
                invite_id: token.invite_id.clone(),
                hash: *hash,
            }));
            let token_id = token.token_id.clone();
            return Ok(Decision::of(events, Answer::Joined { entity_id: id.clone(), token_id }));
        }
        self.check_admits(invite, command)?;
        let registered = self.register_first(register, name);
        let grant = Grant {
            entity_id: id,
            role: invite.role,
            name: &invite.name,
            created_by: invite.created_by.as_ref(),
            invite_id: Some(&invite.invite_id),
        };
        let issued = self.issued(&grant, *hash)?;
        let token_id = issued.token.token_id.clone();
        let mut events = registered.events;
        events.push(Event::TokenIssued(issued));
        Ok(Decision::of(events, Answer::Joined { entity_id: id.clone(), token_id }))
    }

    /// The token that this invite gave the entity, as long as nobody has used it. An invite for several
    /// may be in several hands, of which one could take what another has just been given.
    fn unused_token_of(&self, invite: &Invite, known: &Entity) -> Result<&Arc<Token>, Rejection> {
        let is_unused = |token: &&Arc<Token>| {
            invite.uses_max == 1
                && token.invite_id.as_ref() == Some(&invite.invite_id)
                && token.first_used_at.is_none()
                && token.rotated_at.is_none()
        };
        let id = &known.entity_id;
        self.credentials().tokens_of(id).find(is_unused).ok_or_else(|| {
            let detail = format!(
                "{id:?} takes part already: show its token, choose another id, or ask an admin for a token of it"
            );
            Rejection::InviteRefused(detail)
        })
    }

    fn check_admits(&self, invite: &Invite, command: &Join) -> Result<(), Rejection> {
        let register = &command.register;
        let id = &register.entity_id;
        if self.credentials().was_removed(id) {
            return Err(only_admin_reopens(id));
        }
        if !invite.entity_types.contains(&register.entity_type) {
            let words: Vec<&str> = invite.entity_types.iter().map(|kind| kind.as_str()).collect();
            let detail = format!("the invite is for {}; ask for another", words.join(", "));
            return Err(Rejection::InviteRefused(detail));
        }
        if !invite.entity_ids.is_empty() && !invite.entity_ids.contains(id) {
            return Err(refused("the invite is for other ids than this; ask for another"));
        }
        if invite.uses >= invite.uses_max {
            return Err(refused("the invite was used as often as it may be; ask for another"));
        }
        Ok(())
    }

    pub(super) fn make_invite(&self, command: &MakeInvite) -> Result<Decision, Rejection> {
        self.check_title("name", &command.name)?;
        if command.entity_types.is_empty() {
            let detail = "entity_types must name one type at least: an invite says whom it is for";
            return Err(Rejection::invalid("entity_types", detail));
        }
        if command.entity_ids.len() > self.state.limits().labels_max {
            let detail = format!("entity_ids names at most {}", self.state.limits().labels_max);
            return Err(Rejection::invalid("entity_ids", detail));
        }
        if !(1..=INVITE_USES_MAX).contains(&command.uses_max) {
            let detail = format!("uses must be from 1 to {INVITE_USES_MAX}");
            return Err(Rejection::invalid("uses", detail));
        }
        let latest = self.now.plus_millis(INVITE_SECONDS_MAX * 1_000);
        let (field, expires_at) = match command.expires {
            Expiry::At(at) => ("expires_at", at),
            Expiry::In(seconds) if seconds <= INVITE_SECONDS_MAX.unsigned_abs() => {
                ("expires_in_seconds", self.now.plus_millis(seconds.cast_signed() * 1_000))
            }
            Expiry::In(_) => ("expires_in_seconds", latest.plus_millis(1)),
        };
        if expires_at <= self.now || expires_at > latest {
            let detail = format!("an invite ends between now, {}, and {latest}", self.now);
            return Err(Rejection::invalid(field, detail));
        }
        self.check_admin()?;
        if self.credentials().invite_count() >= INVITES_MAX {
            let detail = format!("this hub has {INVITES_MAX} invites; revoke some that are past");
            return Err(Rejection::invalid("name", detail));
        }
        let invite = Invite {
            invite_id: InviteId::trusted(&self.fresh_id("invite", 0)),
            name: command.name.clone(),
            entity_types: command.entity_types.clone(),
            entity_ids: command.entity_ids.clone(),
            role: command.role,
            uses_max: command.uses_max,
            uses: 0,
            expires_at,
            created_at: self.now,
            created_by: self.envelope.caller.id.clone(),
            created_seq: 0,
        };
        let answer = Answer::Invite(invite.invite_id.clone());
        let event = InviteMade { invite, hash: command.hash };
        Ok(Decision::new(Event::InviteMade(event), answer))
    }

    pub(super) fn revoke_invite(&self, id: &InviteId) -> Result<Decision, Rejection> {
        self.check_admin()?;
        let found = self.credentials().invite(id);
        let invite = &found.ok_or_else(|| Rejection::UnknownInvite(id.clone()))?.of;
        let event = InviteRevoked { invite_id: id.clone(), name: invite.name.clone() };
        Ok(Decision::new(Event::InviteRevoked(event), Answer::Done))
    }

    pub(super) fn issue_token(&self, command: &IssueToken) -> Result<Decision, Rejection> {
        self.check_title("name", &command.name)?;
        let id = &command.entity_id;
        let is_admin = *id == EntityId::admin();
        if is_admin && command.role != Role::Admin {
            let detail =
                "the entity \"admin\" is whoever runs the hub: its tokens have the role admin";
            return Err(Rejection::invalid("role", detail));
        }
        self.check_admin()?;
        if !is_admin && self.state.entity(id).is_none() {
            return Err(Rejection::UnknownEntity(id.clone()));
        }
        let grant = Grant {
            entity_id: id,
            role: command.role,
            name: &command.name,
            created_by: self.envelope.caller.id.as_ref(),
            invite_id: None,
        };
        let event = self.issued(&grant, command.hash)?;
        let answer = Answer::Token(event.token.token_id.clone());
        Ok(Decision::new(Event::TokenIssued(event), answer))
    }

    /// Whoever shows a token may change its secret, and no other's: another of the same entity may
    /// have more rights.
    pub(super) fn rotate_token(&self, command: &RotateToken) -> Result<Decision, Rejection> {
        let id = &command.token_id;
        if self.shown_token().is_none_or(|token| token.token_id != *id) {
            self.check_admin()?;
        }
        let token = self.token(id)?;
        let event = TokenRotated {
            token_id: id.clone(),
            entity_id: token.entity_id.clone(),
            invite_id: None,
            hash: command.hash,
        };
        Ok(Decision::new(Event::TokenRotated(event), Answer::Token(id.clone())))
    }

    /// The last token of the hub's own admin stays: a hub that nobody runs could not be helped.
    pub(super) fn revoke_token(&self, id: &TokenId) -> Result<Decision, Rejection> {
        self.check_admin()?;
        let token = self.token(id)?;
        let is_admins = token.entity_id == EntityId::admin();
        if is_admins && self.credentials().tokens_of(&token.entity_id).nth(1).is_none() {
            return Err(Rejection::LastAdminToken);
        }
        Ok(Decision::new(revoked(token), Answer::Done))
    }

    pub(super) fn use_token(&self, id: &TokenId) -> Result<Decision, Rejection> {
        let token = self.token(id)?;
        if token.first_used_at.is_some() {
            return Ok(Decision::nothing(Answer::Done));
        }
        let event = TokenUsed { token_id: id.clone(), entity_id: token.entity_id.clone() };
        Ok(Decision::new(Event::TokenUsed(event), Answer::Done))
    }

    /// Whoever is removed acts no more.
    pub(super) fn revoked_with(&self, entity: &EntityId) -> impl Iterator<Item = Event> {
        self.state.credentials().tokens_of(entity).map(|token| revoked(token))
    }

    fn token(&self, id: &TokenId) -> Result<&Arc<Token>, Rejection> {
        let found = self.credentials().token(id).map(|sealed| &sealed.of);
        found.ok_or_else(|| Rejection::UnknownToken(id.clone()))
    }

    fn issued(&self, grant: &Grant<'_>, hash: SecretHash) -> Result<TokenIssued, Rejection> {
        if self.credentials().token_count() >= TOKENS_MAX {
            let detail = format!("this hub has {TOKENS_MAX} tokens; revoke some first");
            return Err(Rejection::invalid("name", detail));
        }
        let token = Token {
            token_id: TokenId::trusted(&self.fresh_id("token", 0)),
            entity_id: grant.entity_id.clone(),
            role: grant.role,
            name: grant.name.to_owned(),
            created_at: self.now,
            created_by: grant.created_by.cloned(),
            invite_id: grant.invite_id.cloned(),
            first_used_at: None,
            rotated_at: None,
            created_seq: 0,
        };
        Ok(TokenIssued { token, hash })
    }

    fn check_admin(&self) -> Result<(), Rejection> {
        if self.envelope.caller.role == Role::Admin {
            return Ok(());
        }
        Err(Rejection::NotAllowed("this takes an admin's token".to_owned()))
    }
}

/// A removed id is a tombstone: its past is not for whoever asks for it next.
pub(super) fn only_admin_reopens(id: &EntityId) -> Rejection {
    let detail = format!("{id:?} was removed, and only an admin may let it take part again");
    Rejection::NotAllowed(detail)
}

fn revoked(token: &Token) -> Event {
    Event::TokenRevoked(TokenRevoked {
        token_id: token.token_id.clone(),
        entity_id: token.entity_id.clone(),
        name: token.name.clone(),
    })
}

fn refused(detail: &str) -> Rejection {
    Rejection::InviteRefused(detail.to_owned())
}
