//! Reading reservations: always hot.

use super::{List, Window, take_from};
use crate::{
    engine::{Hub, HubError},
    hub::{Comparisons, Rejection, Seeker},
    ids::EntityId,
    limits::{CONFLICTS_OF_ONE_MAX, RESOURCES_MAX},
    model::{CheckedResource, Reservation},
    resource::Resource,
};

impl Hub {
    /// What is reserved, in order of acquisition; by one entity, where it is given.
    pub fn reservations(&self, held_by: Option<&EntityId>, window: Window) -> List<Reservation> {
        let (reserved, head) =
            self.with_state(|state| (state.reservations().clone(), state.head()));
        let is_meant = |one: &Reservation| held_by.is_none_or(|id| one.entity_id == *id);
        let matching = reserved.in_order(window.range()).filter(|one| is_meant(one));
        let found = take_from(matching, window);
        let list = window.list(found, |one| one.acquired_seq, head);
        let items = list.items.into_iter().map(|one| Reservation::clone(one)).collect();
        List { items, next: list.next }
    }

    /// Whether `seeker` could have each of the resources, and who has those it could not. It may take
    /// some milliseconds; the writer does not wait for it.
    pub fn check_resources(
        &self,
        resources: Vec<Resource>,
        seeker: Seeker<'_>,
    ) -> Result<Vec<CheckedResource>, HubError> {
        if resources.is_empty() || resources.len() > RESOURCES_MAX {
            let detail = format!(
                "resources has {} entries; 1 to {RESOURCES_MAX} are taken",
                resources.len()
            );
            return Err(Rejection::invalid("resources", detail).into());
        }
        let reserved = self.with_state(|state| state.reservations().clone());
        let mut comparisons = Comparisons::default();
        let check = |resource: Resource| {
            let most = CONFLICTS_OF_ONE_MAX;
            let conflicts = reserved.conflicts(&resource, seeker, most, &mut comparisons)?;
            Ok(CheckedResource { free: conflicts.is_empty(), resource, conflicts })
        };
        resources.into_iter().map(check).collect()
    }
}
