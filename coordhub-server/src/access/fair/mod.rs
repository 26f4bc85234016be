//! Fair use: how much one caller, or one address, may ask for before others come to harm.

mod buckets;
mod seats;

pub use buckets::{Asked, Buckets, hold_back};
pub use seats::{Held, Kept, Seats};

use std::net::{IpAddr, SocketAddr};

use coordhub_core::ids::EntityId;

use super::gate::AuthMode;

/// Who asks, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// As whom.
    pub entity: Option<&'a EntityId>,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What one caller and one address may ask for. Where there is no number there is no bound.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FairUse {
    /// Changes a second of one entity.
    pub changes_per_second: Option<u32>,
    /// Reads a second of one entity.
    pub reads_per_second: Option<u32>,
    /// Changes a second from one address.
    pub address_changes_per_second: Option<u32>,
    /// Reads a second from one address.
    pub address_reads_per_second: Option<u32>,
    /// Secrets that are not good, from one address.
    pub failed_logins_per_minute: Option<u32>,
    /// Registrations from one address.
    pub registrations_per_minute: Option<u32>,
    /// Sockets and streams of events that one entity may have open.
    pub sockets_per_entity: Option<u32>,
    /// The same from one address.
    pub sockets_per_address: Option<u32>,
    /// Calls of one entity that may wait for something at a time.
    pub waits_per_entity: Option<u32>,
    /// The same from one address.
    pub waits_per_address: Option<u32>,
    /// Channels that the sockets of one entity may be subscribed to, counted for each socket.
    pub subscriptions_per_entity: Option<u32>,
    /// The same from one address.
    pub subscriptions_per_address: Option<u32>,
    /// Connections from one address.
    pub connections_per_address: Option<u32>,
}

/// Many work behind one address, all the agents of one machine, say.
const CALLERS_PER_ADDRESS: u32 = 10;

impl FairUse {
    /// What holds where nothing was said: nothing, for a hub of one machine that asks for no token.
    pub fn standard(auth: AuthMode, bind: &[SocketAddr]) -> Self {
        let is_own_machine = bind.iter().all(|at| at.ip().to_canonical().is_loopback());
        if auth == AuthMode::Open && is_own_machine {
            return Self::default();
        }
        Self {
            changes_per_second: Some(500),
            reads_per_second: Some(2_000),
            failed_logins_per_minute: Some(600),
            registrations_per_minute: Some(600),
            sockets_per_entity: Some(64),
            waits_per_entity: Some(256),
            subscriptions_per_entity: Some(4_000),
            connections_per_address: Some(2_000),
            ..Self::default()
        }
        .with_addresses()
    }

    /// With bounds for addresses that follow from those for entities, where they have none of their own.
    #[must_use]
    pub fn with_addresses(mut self) -> Self {
        let of_many = |each: Option<u32>| each.map(|each| each.saturating_mul(CALLERS_PER_ADDRESS));
        self.address_changes_per_second =
            self.address_changes_per_second.or_else(|| of_many(self.changes_per_second));
        self.address_reads_per_second =
            self.address_reads_per_second.or_else(|| of_many(self.reads_per_second));
        self.sockets_per_address =
            self.sockets_per_address.or_else(|| of_many(self.sockets_per_entity));
        self.waits_per_address = self.waits_per_address.or_else(|| of_many(self.waits_per_entity));
        self.subscriptions_per_address =
            self.subscriptions_per_address.or_else(|| of_many(self.subscriptions_per_entity));
        self
    }
}
