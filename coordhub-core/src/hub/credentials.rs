//! The tokens and invites that are good, and where a hash leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::State;
use crate::{
    event::{Event, Stamped},
    ids::{EntityId, InviteId, TokenId},
    model::{Invite, Role, Token},
    secret::SecretHash,
    time::Timestamp,
};

/// Something that a secret stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed<T> {
    /// What it stands for.
    pub of: Arc<T>,
    /// The hash of the secret.
    pub hash: SecretHash,
}

impl<T> Sealed<T> {
    pub(crate) fn new(of: T, hash: SecretHash) -> Self {
        Self { of: Arc::new(of), hash }
    }
}

/// Everything that secrets stand for. What was revoked is not here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credentials {
    tokens: BTreeMap<TokenId, Sealed<Token>>,
    tokens_by_hash: BTreeMap<SecretHash, TokenId>,
    tokens_by_entity: BTreeMap<EntityId, BTreeSet<TokenId>>,
    invites: BTreeMap<InviteId, Sealed<Invite>>,
    invites_by_hash: BTreeMap<SecretHash, InviteId>,
    /// Ids whose entities were removed.
    removed: BTreeSet<EntityId>,
}

impl Credentials {
    // Getters.

    /// The token with this secret. What is found is compared once more, in constant time.
    pub fn token_by_hash(&self, hash: &SecretHash) -> Option<&Arc<Token>> {
        let found = self.tokens.get(self.tokens_by_hash.get(hash)?)?;
        (found.hash == *hash).then_some(&found.of)
    }

    /// The invite with this secret.
    pub fn invite_by_hash(&self, hash: &SecretHash) -> Option<&Arc<Invite>> {
        let found = self.invites.get(self.invites_by_hash.get(hash)?)?;
        (found.hash == *hash).then_some(&found.of)
    }

    /// A token that is good.
    pub fn token(&self, id: &TokenId) -> Option<&Sealed<Token>> {
        self.tokens.get(id)
    }

    /// An invite that was not revoked; it may have expired, or been used up.
    pub fn invite(&self, id: &InviteId) -> Option<&Sealed<Invite>> {
        self.invites.get(id)
    }

    /// Every token, by id, which is the order in which they were made.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &Arc<Token>> {
        self.tokens.values().map(|sealed| &sealed.of)
    }

    /// Every invite, by id, which is the order in which they were made.
    pub fn invites(&self) -> impl DoubleEndedIterator<Item = &Arc<Invite>> {
        self.invites.values().map(|sealed| &sealed.of)
    }

    /// How many tokens there are.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// How many invites there are.
    pub fn invite_count(&self) -> usize {
        self.invites.len()
    }

    /// The tokens of one entity.
    pub fn tokens_of(&self, entity: &EntityId) -> impl Iterator<Item = &Arc<Token>> {
        let ids = self.tokens_by_entity.get(entity).into_iter().flatten();
        ids.filter_map(|id| self.tokens.get(id)).map(|sealed| &sealed.of)
    }

    /// Whether somebody can act as an admin.
    pub fn has_admin(&self) -> bool {
        self.tokens().any(|token| token.role == Role::Admin)
    }

    /// Whether the entity of this id was removed, and has not been registered since.
    pub fn was_removed(&self, id: &EntityId) -> bool {
        self.removed.contains(id)
    }

    // What changes it: for `evolve`, and for loading.

    pub(super) fn insert_token(&mut self, sealed: Sealed<Token>) {
        let (id, entity) = (&sealed.of.token_id, &sealed.of.entity_id);
        self.tokens_by_hash.insert(sealed.hash, id.clone());
        self.tokens_by_entity.entry(entity.clone()).or_default().insert(id.clone());
        self.tokens.insert(id.clone(), sealed);
    }

    pub(super) fn remove_token(&mut self, id: &TokenId) {
        let Some(sealed) = self.tokens.remove(id) else { return };
        self.tokens_by_hash.remove(&sealed.hash);
        super::evolve::remove_from(&mut self.tokens_by_entity, &sealed.of.entity_id, id);
    }

    pub(super) fn use_token(&mut self, id: &TokenId, at: Timestamp) {
        let Some(sealed) = self.tokens.get_mut(id) else { return };
        Arc::make_mut(&mut sealed.of).first_used_at = Some(at);
    }

    pub(super) fn rotate_token(&mut self, id: &TokenId, hash: SecretHash, rotation: Rotation) {
        let Some(sealed) = self.tokens.get_mut(id) else { return };
        self.tokens_by_hash.remove(&sealed.hash);
        self.tokens_by_hash.insert(hash, id.clone());
        sealed.hash = hash;
        if let Rotation::Changed(at) = rotation {
            Arc::make_mut(&mut sealed.of).rotated_at = Some(at);
        }
    }

    pub(super) fn insert_invite(&mut self, sealed: Sealed<Invite>) {
        self.invites_by_hash.insert(sealed.hash, sealed.of.invite_id.clone());
        self.invites.insert(sealed.of.invite_id.clone(), sealed);
    }

    pub(super) fn remove_invite(&mut self, id: &InviteId) {
        if let Some(sealed) = self.invites.remove(id) {
            self.invites_by_hash.remove(&sealed.hash);
        }
    }

    pub(super) fn use_invite(&mut self, id: &InviteId) {
        let Some(sealed) = self.invites.get_mut(id) else { return };
        Arc::make_mut(&mut sealed.of).uses += 1;
    }

    pub(super) fn set_removed(&mut self, id: EntityId) {
        self.removed.insert(id);
    }

    pub(super) fn unset_removed(&mut self, id: &EntityId) {
        self.removed.remove(id);
    }
}

impl State {
    /// Makes an event about tokens or invites true.
    pub(super) fn credentials_changed(&mut self, stamped: &Stamped) {
        let (credentials, touched) = (&mut self.credentials, &mut self.touched);
        match &stamped.event {
            Event::InviteMade(e) => {
                let invite = Invite { created_seq: stamped.seq, ..e.invite.clone() };
                touched.invites.insert(invite.invite_id.clone());
                credentials.insert_invite(Sealed::new(invite, e.hash));
            }
            Event::InviteRevoked(e) => {
                touched.invites.insert(e.invite_id.clone());
                credentials.remove_invite(&e.invite_id);
            }
            Event::TokenIssued(e) => {
                let token = Token { created_seq: stamped.seq, ..e.token.clone() };
                touched.tokens.insert(token.token_id.clone());
                if let Some(invite) = &token.invite_id {
                    credentials.use_invite(invite);
                    touched.invites.insert(invite.clone());
                }
                credentials.insert_token(Sealed::new(token, e.hash));
            }
            Event::TokenUsed(e) => {
                touched.tokens.insert(e.token_id.clone());
                credentials.use_token(&e.token_id, stamped.at);
            }
            Event::TokenRotated(e) => {
                touched.tokens.insert(e.token_id.clone());
                let anew = e.invite_id.is_some();
                let rotation = if anew { Rotation::Anew } else { Rotation::Changed(stamped.at) };
                credentials.rotate_token(&e.token_id, e.hash, rotation);
            }
            Event::TokenRevoked(e) => {
                touched.tokens.insert(e.token_id.clone());
                credentials.remove_token(&e.token_id);
            }
            _ => {}
        }
    }
}

/// Why a token has another secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rotation {
    /// Its invite had it made anew: nobody had used it.
    Anew,
    /// Somebody changed it.
    Changed(Timestamp),
}
