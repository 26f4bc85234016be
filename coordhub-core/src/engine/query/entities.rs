//! Reading entities: always hot.

use super::{List, Window, take_from};
use crate::{
    engine::{Hub, Presences},
    ids::EntityId,
    model::{Entity, EntityType, EntityView, Presence, Status},
    time::Timestamp,
};

/// Which entities. Every field that is given must match.
#[derive(Clone, Debug, Default)]
pub struct EntityFilter {
    /// Of this type.
    pub entity_type: Option<EntityType>,
    /// With this status.
    pub status: Option<Status>,
    /// With this capability.
    pub capability: Option<String>,
}

impl Hub {
    /// One entity with its presence.
    pub fn entity(&self, id: &EntityId) -> Option<EntityView> {
        let now = self.now();
        let entity = self.with_state(|state| state.entity(id).cloned())?;
        Some(view(&self.shared.presence, now, &entity))
    }

    /// Entities in order of registration.
    pub fn entities(&self, filter: &EntityFilter, window: Window) -> List<EntityView> {
        let (now, presence) = (self.now(), &self.shared.presence);
        self.with_state(|state| {
            let all = state
                .entities_in(window.range())
                .filter(|(_, entity)| {
                    filter.entity_type.is_none_or(|kind| entity.entity_type == kind)
                        && filter
                            .capability
                            .as_ref()
                            .is_none_or(|word| entity.capabilities.contains(word))
                })
                .map(|(seq, entity)| (seq, view(presence, now, entity)))
                .filter(|(_, entity)| filter.status.is_none_or(|status| entity.status == status));
            let found = take_from(all, window);
            let list = window.list(found, |(seq, _)| *seq, state.head());
            List {
                items: list.items.into_iter().map(|(_, entity)| entity).collect(),
                next: list.next,
            }
        })
    }
}

fn view(presences: &Presences, now: Timestamp, entity: &Entity) -> EntityView {
    let presence = presences.of(&entity.entity_id, now).unwrap_or(Presence {
        status: Status::Offline,
        activity: None,
        last_seen: entity.registered_at,
    });
    EntityView::new(entity, presence)
}
