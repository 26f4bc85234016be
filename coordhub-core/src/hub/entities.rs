//! Deciding who takes part.

use super::{Answer, Decision, Desk, Rejection, claims, policy, proposals, reservations::released};
use crate::{
    command::{Auth, Register, Remove, Role},
    event::{EntityRegistered, EntityRemoved, EntityUpdated, Event, ReleaseReason, ReservationEnd},
    model::{Entity, ProposalStatus},
};

impl Desk<'_> {
    pub(super) fn register(&self, command: &Register) -> Result<Decision, Rejection> {
        let id = &command.entity_id;
        let name = self.checked_name(command)?;
        // In open mode there is no admin, and everyone registers itself.
        let caller = &self.envelope.caller;
        let by_admin = caller.auth == Auth::Token && caller.role == Role::Admin;
        if !by_admin && caller.id.as_ref().is_some_and(|caller| caller != id) {
            return Err(self.not_oneself("register"));
        }
        self.check_uninvited(id)?;
        let answer = Answer::Entity(id.clone());
        match self.state.entity(id) {
            None => Ok(self.register_first(command, name)),
            Some(known) => Ok(Decision::of(self.update(command, known, name)?, answer)),
        }
    }

    /// The name of whoever registers, where what it says of itself can be taken.
    pub(super) fn checked_name(&self, command: &Register) -> Result<String, Rejection> {
        let name = command.name.clone().unwrap_or_else(|| command.entity_id.to_string());
        self.check_title("name", &name)?;
        self.check_labels("capabilities", &command.capabilities)?;
        self.check_metadata(&command.metadata)?;
        Ok(name)
    }

    /// What a registered entity says of itself anew.
    pub(super) fn update(
        &self,
        command: &Register,
        known: &Entity,
        name: String,
    ) -> Result<Vec<Event>, Rejection> {
        let id = &command.entity_id;
        if known.entity_type != command.entity_type {
            return Err(Rejection::TypeIsFixed {
                entity_id: id.clone(),
                entity_type: known.entity_type,
            });
        }
        let said_before = known.name == name
            && known.capabilities == command.capabilities
            && known.metadata == command.metadata;
        if said_before {
            return Ok(Vec::new());
        }
        let event = EntityUpdated {
            entity_id: id.clone(),
            name,
            capabilities: command.capabilities.clone(),
            metadata: command.metadata.clone(),
        };
        Ok(vec![Event::EntityUpdated(event)])
    }

    pub(super) fn register_first(&self, command: &Register, name: String) -> Decision {
        let id = &command.entity_id;
        let joins = self
            .state
            .proposals()
            .filter(|proposal| proposals::admits(proposal, id, command.entity_type))
            .map(|proposal| proposal.proposal_id.clone())
            .collect();
        let entity = Entity {
            entity_id: id.clone(),
            entity_type: command.entity_type,
            name,
            capabilities: command.capabilities.clone(),
            metadata: command.metadata.clone(),
            registered_at: self.now,
            registered_seq: 0,
        };
        let event = EntityRegistered { entity, joins };
        Decision::new(Event::EntityRegistered(event), Answer::Entity(id.clone()))
    }

    pub(super) fn remove(&self, command: &Remove) -> Result<Decision, Rejection> {
        let id = &command.entity_id;
        let Some(entity) = self.state.entity(id) else {
            return Err(Rejection::UnknownEntity(id.clone()));
        };
        if self.caller()? != id && self.envelope.caller.role != Role::Admin {
            return Err(self.not_oneself("remove"));
        }
        let mut events: Vec<Event> = self
            .state
            .claims(id)
            .map(|task| claims::released(task, id, ReleaseReason::HolderRemoved))
            .collect();
        let reserved = self.state.reservations().of(id);
        events.extend(reserved.map(|one| released(one, ReservationEnd::HolderRemoved)));
        events.push(Event::EntityRemoved(EntityRemoved {
            entity_id: id.clone(),
            name: entity.name.clone(),
        }));
        // After it, so that its sockets are closed because it was removed.
        events.extend(self.revoked_with(id));
        // With one elector less an outcome may have become certain.
        let mut decided: Vec<Event> = self
            .state
            .proposals()
            .filter(|proposal| proposal.status == ProposalStatus::Open)
            .filter(|proposal| proposal.electorate.contains(id))
            .filter_map(|proposal| {
                let mut without = proposal.as_ref().clone();
                proposals::depart(&mut without, id);
                proposals::decided_early(&without)
            })
            .collect();
        events.append(&mut decided);
        Ok(Decision::of(events, Answer::Done))
    }

    fn not_oneself(&self, verb: &str) -> Rejection {
        Rejection::NotAllowed(format!("an entity may {verb} itself only; name it as the caller"))
    }

    /// Whether the caller has the rights of whoever `owner` is, or may act for everyone.
    pub(super) fn may_act_for(&self, owner: Option<&crate::ids::EntityId>) -> bool {
        self.envelope.caller.role == Role::Admin
            || policy::owns(owner, self.envelope.caller.id.as_ref(), self.caller_standing())
    }
}
