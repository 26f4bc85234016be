//! Deciding who takes part.

use super::{Answer, Decision, Desk, Rejection, claims, policy, proposals, reservations::released};
use crate::{
    command::{Register, Remove, Role},
    event::{EntityRegistered, EntityRemoved, EntityUpdated, Event, ReleaseReason, ReservationEnd},
    model::{Entity, ProposalStatus},
};

impl Desk<'_> {
    pub(super) fn register(&self, command: &Register) -> Result<Decision, Rejection> {
        let id = &command.entity_id;
        let name = command.name.clone().unwrap_or_else(|| id.to_string());
        self.check_title("name", &name)?;
        self.check_labels("capabilities", &command.capabilities)?;
        self.check_metadata(&command.metadata)?;
        if self.envelope.caller.id.as_ref().is_some_and(|caller| caller != id) {
            return Err(self.not_oneself("register"));
        }
        let Some(known) = self.state.entity(id) else {
            return Ok(self.register_first(command, name));
        };
        if known.entity_type != command.entity_type {
            return Err(Rejection::TypeIsFixed {
                entity_id: id.clone(),
                entity_type: known.entity_type,
            });
        }
        let answer = Answer::Entity(id.clone());
        let said_before = known.name == name
            && known.capabilities == command.capabilities
            && known.metadata == command.metadata;
        if said_before {
            return Ok(Decision::nothing(answer));
        }
        let event = EntityUpdated {
            entity_id: id.clone(),
            name,
            capabilities: command.capabilities.clone(),
            metadata: command.metadata.clone(),
        };
        Ok(Decision::new(Event::EntityUpdated(event), answer))
    }

    fn register_first(&self, command: &Register, name: String) -> Decision {
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
