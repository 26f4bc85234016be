//! Options about fair use.

use crate::access::fair::FairUse;
use clap::Args;

/// How much one caller, or one address, may ask for. Where nothing is said, a hub of one machine in open mode has no such
/// bounds, and every other has those that are named here.
#[derive(Args, Clone, Debug)]
pub(super) struct FairArgs {
    /// Changes a second of one entity: 500; 0 for no bound.
    #[arg(long, env = "COORDHUB_CHANGES_PER_SECOND", value_name = "COUNT")]
    changes_per_second: Option<u32>,

    /// Reads a second of one entity: 2,000; 0 for no bound.
    #[arg(long, env = "COORDHUB_READS_PER_SECOND", value_name = "COUNT")]
    reads_per_second: Option<u32>,

    /// Changes a second from one address: ten times those of one entity; 0 for no bound.
    #[arg(long, env = "COORDHUB_ADDRESS_CHANGES_PER_SECOND", value_name = "COUNT")]
    address_changes_per_second: Option<u32>,

    /// Reads a second from one address: ten times those of one entity; 0 for no bound.
    #[arg(long, env = "COORDHUB_ADDRESS_READS_PER_SECOND", value_name = "COUNT")]
    address_reads_per_second: Option<u32>,

    /// Wrong tokens a minute from one address: 600; 0 for no bound.
    #[arg(long, env = "COORDHUB_FAILED_LOGINS_PER_MINUTE", value_name = "COUNT")]
    failed_logins_per_minute: Option<u32>,

    /// Registrations a minute from one address: 600; 0 for no bound.
    #[arg(long, env = "COORDHUB_REGISTRATIONS_PER_MINUTE", value_name = "COUNT")]
    registrations_per_minute: Option<u32>,

    /// Sockets and streams that one entity may have open: 64; 0 for no bound.
    #[arg(long, env = "COORDHUB_SOCKETS_PER_ENTITY", value_name = "COUNT")]
    sockets_per_entity: Option<u32>,

    /// Sockets and streams from one address: ten times those of one entity; 0 for no bound.
    #[arg(long, env = "COORDHUB_SOCKETS_PER_ADDRESS", value_name = "COUNT")]
    sockets_per_address: Option<u32>,

    /// Calls of one entity that may wait at a time: 256; 0 for no bound.
    #[arg(long, env = "COORDHUB_WAITS_PER_ENTITY", value_name = "COUNT")]
    waits_per_entity: Option<u32>,

    /// Calls from one address that may wait at a time: ten times those of one entity; 0 for no bound.
    #[arg(long, env = "COORDHUB_WAITS_PER_ADDRESS", value_name = "COUNT")]
    waits_per_address: Option<u32>,

    /// Channels that the sockets of one entity may be subscribed to, all together: 4,000; 0 for no bound.
    #[arg(long, env = "COORDHUB_SUBSCRIPTIONS_PER_ENTITY", value_name = "COUNT")]
    subscriptions_per_entity: Option<u32>,

    /// The same from one address: ten times those of one entity; 0 for no bound.
    #[arg(long, env = "COORDHUB_SUBSCRIPTIONS_PER_ADDRESS", value_name = "COUNT")]
    subscriptions_per_address: Option<u32>,

    /// Connections from one address, but for a proxy's: 2,000; 0 for no bound.
    #[arg(long, env = "COORDHUB_CONNECTIONS_PER_ADDRESS", value_name = "COUNT")]
    connections_per_address: Option<u32>,
}

impl FairArgs {
    /// What holds: what was said, and else the standard.
    pub(super) fn over(self, standard: FairUse) -> FairUse {
        let over = |said: Option<u32>, standard| match said {
            Some(0) => None,
            Some(said) => Some(said),
            None => standard,
        };
        let of_many = FairUse {
            changes_per_second: over(self.changes_per_second, standard.changes_per_second),
            reads_per_second: over(self.reads_per_second, standard.reads_per_second),
            sockets_per_entity: over(self.sockets_per_entity, standard.sockets_per_entity),
            waits_per_entity: over(self.waits_per_entity, standard.waits_per_entity),
            subscriptions_per_entity: over(
                self.subscriptions_per_entity,
                standard.subscriptions_per_entity,
            ),
            ..FairUse::default()
        }
        .with_addresses();
        FairUse {
            address_changes_per_second: over(
                self.address_changes_per_second,
                of_many.address_changes_per_second,
            ),
            address_reads_per_second: over(
                self.address_reads_per_second,
                of_many.address_reads_per_second,
            ),
            sockets_per_address: over(self.sockets_per_address, of_many.sockets_per_address),
            waits_per_address: over(self.waits_per_address, of_many.waits_per_address),
            subscriptions_per_address: over(
                self.subscriptions_per_address,
                of_many.subscriptions_per_address,
            ),
            failed_logins_per_minute: over(
                self.failed_logins_per_minute,
                standard.failed_logins_per_minute,
            ),
            registrations_per_minute: over(
                self.registrations_per_minute,
                standard.registrations_per_minute,
            ),
            connections_per_address: over(
                self.connections_per_address,
                standard.connections_per_address,
            ),
            ..of_many
        }
    }
}
