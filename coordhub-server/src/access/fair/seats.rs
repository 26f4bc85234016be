//! Bounds on what stays open: sockets, their subscriptions, streams, and calls that wait.

use std::{hash::Hash, net::IpAddr, sync::Arc};

use axum::http::StatusCode;
use coordhub_core::ids::EntityId;
use dashmap::DashMap;

use super::{Asker, FairUse};
use crate::{net::neighbourhood, wire::Problem};

/// What stays open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// A socket, or a stream of events.
    Socket,
    /// A call that waits.
    Wait,
    /// A channel that a socket is subscribed to.
    Subscription,
}

#[derive(Debug)]
struct Counted<K: Eq + Hash> {
    most: u32,
    by_key: Arc<DashMap<K, u32>>,
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
struct Place<K: Eq + Hash> {
    by_key: Arc<DashMap<K, u32>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Counted<K> {
    fn new(most: Option<u32>) -> Option<Self> {
        let most = most.filter(|most| *most > 0)?;
        Some(Self { most, by_key: Arc::default() })
    }

    fn take(&self, key: K) -> Option<Place<K>> {
        let mut count = self.by_key.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(count);
        Some(Place { by_key: Arc::clone(&self.by_key), key })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.by_key.remove_if_mut(&self.key, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

/// What somebody keeps open, until it is dropped.
#[derive(Debug, Default)]
pub struct Held {
    _of_entity: Option<Place<EntityId>>,
    _of_address: Option<Place<IpAddr>>,
}

/// How much everybody keeps open.
#[derive(Debug)]
pub struct Seats {
    sockets: Option<Counted<EntityId>>,
    address_sockets: Option<Counted<IpAddr>>,
    waits: Option<Counted<EntityId>>,
    address_waits: Option<Counted<IpAddr>>,
    subscriptions: Option<Counted<EntityId>>,
    address_subscriptions: Option<Counted<IpAddr>>,
}

impl Seats {
    /// None are taken.
    pub fn new(fair: &FairUse) -> Self {
        Self {
            sockets: Counted::new(fair.sockets_per_entity),
            address_sockets: Counted::new(fair.sockets_per_address),
            waits: Counted::new(fair.waits_per_entity),
            address_waits: Counted::new(fair.waits_per_address),
            subscriptions: Counted::new(fair.subscriptions_per_entity),
            address_subscriptions: Counted::new(fair.subscriptions_per_address),
        }
    }

    /// Lets somebody keep one more open.
    pub fn take(&self, asker: Asker<'_>, kept: Kept) -> Result<Held, Problem> {
        let (of_entity, of_address) = match kept {
            Kept::Socket => (&self.sockets, &self.address_sockets),
            Kept::Wait => (&self.waits, &self.address_waits),
            Kept::Subscription => (&self.subscriptions, &self.address_subscriptions),
        };
        let mut held = Held::default();
        if let (Some(counted), Some(entity)) = (of_entity, asker.entity) {
            let place = counted.take(entity.clone());
            held._of_entity =
                Some(place.ok_or_else(|| too_many(kept, counted.most, "one entity"))?);
        }
        if let (Some(counted), Some(address)) = (of_address, asker.address) {
            let place = counted.take(neighbourhood(address));
            held._of_address =
                Some(place.ok_or_else(|| too_many(kept, counted.most, "one address"))?);
        }
        Ok(held)
    }
}

fn too_many(kept: Kept, most: u32, whose: &str) -> Problem {
    let what = match kept {
        Kept::Socket => "sockets and streams",
        Kept::Wait => "calls that wait",
        Kept::Subscription => "subscriptions of sockets",
    };
    let detail = format!(
        "{whose} may have {most} {what} open at a time, and has them; close one, or share what you have"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_open", detail).retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_makes_room() {
        let fair = FairUse { sockets_per_entity: Some(1), ..FairUse::default() };
        let seats = Seats::new(&fair);
        let (a, b) = (EntityId::parse("a").expect("an id"), EntityId::parse("b").expect("an id"));
        let take = |who, kept| seats.take(Asker { entity: Some(who), address: None }, kept);
        let first = take(&a, Kept::Socket).expect("the first");
        let refused = take(&a, Kept::Socket).expect_err("the second");
        assert_eq!((refused.status().as_u16(), refused.code()), (429, "too_many_open"));
        let _others = [take(&b, Kept::Socket), take(&a, Kept::Wait)].map(|one| one.expect("free"));
        drop(first);
        assert!(take(&a, Kept::Socket).is_ok());
    }

    #[test]
    fn everything_has_a_bound_of_its_own_for_an_entity_and_for_an_address() {
        let of_entity = FairUse {
            sockets_per_entity: Some(1),
            waits_per_entity: Some(1),
            subscriptions_per_entity: Some(1),
            ..FairUse::default()
        };
        let of_address = FairUse {
            sockets_per_address: Some(1),
            waits_per_address: Some(1),
            subscriptions_per_address: Some(1),
            ..FairUse::default()
        };
        let who = EntityId::parse("a").expect("an id");
        let address = Some("192.0.2.1".parse().expect("an address"));
        for (fair, asker) in [
            (of_entity, Asker { entity: Some(&who), address: None }),
            (of_address, Asker { entity: None, address }),
        ] {
            let seats = Seats::new(&fair);
            let all = [Kept::Socket, Kept::Wait, Kept::Subscription];
            let _held = all.map(|kept| seats.take(asker, kept).expect("the first"));
            for kept in all {
                let refused = seats.take(asker, kept).expect_err("the second");
                assert_eq!(refused.code(), "too_many_open", "{kept:?}");
            }
        }
    }
}
