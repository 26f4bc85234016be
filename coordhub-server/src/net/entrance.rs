//! Who may connect at all, and over what: looked at before a byte is read.

use std::{net::IpAddr, sync::Arc};

use dashmap::DashMap;

use super::{cidr::Cidr, tls::Tls};

/// From which addresses connections are taken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Accepts {
    /// From everywhere.
    #[default]
    All,
    /// From these networks alone.
    Only(Arc<[Cidr]>),
    /// From these, and from this machine.
    OnlyAndLoopback(Arc<[Cidr]>),
}

impl Accepts {
    fn takes(&self, address: IpAddr) -> bool {
        let among = |networks: &[Cidr]| networks.iter().any(|one| one.contains(address));
        match self {
            Self::All => true,
            Self::Only(networks) => among(networks),
            Self::OnlyAndLoopback(networks) => {
                address.to_canonical().is_loopback() || among(networks)
            }
        }
    }
}

/// How connections are let in. The default lets everybody in, without TLS.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// Whose.
    pub accepts: Accepts,
    /// What they must speak, where it is not plain HTTP.
    pub tls: Option<Tls>,
    /// How many one address may have open; no bound where there is none.
    pub per_address_max: Option<usize>,
    /// Addresses that stand for many others, and have no such bound.
    pub proxies: Arc<[Cidr]>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotLetIn {
    /// It comes from an address that nobody is expected at.
    Address,
    /// Its address has as many connections as it may have.
    TooMany,
}

/// Counts those who are in, by address.
#[derive(Debug, Default)]
pub(super) struct Present {
    by_address: Arc<DashMap<IpAddr, usize>>,
}

/// One of those who are in.
#[derive(Debug)]
pub(super) struct Visit(Option<(Arc<DashMap<IpAddr, usize>>, IpAddr)>);

impl Present {
    /// Lets somebody in, until the visit is dropped.
    pub(super) fn admit(&self, entrance: &Entrance, address: IpAddr) -> Result<Visit, NotLetIn> {
        if !entrance.accepts.takes(address) {
            return Err(NotLetIn::Address);
        }
        let bound = entrance.per_address_max;
        let Some(most) =
            bound.filter(|_| !entrance.proxies.iter().any(|one| one.contains(address)))
        else {
            return Ok(Visit(None));
        };
        let address = neighbourhood(address);
        let mut count = self.by_address.entry(address).or_default();
        if *count >= most {
            return Err(NotLetIn::TooMany);
        }
        *count += 1;
        Ok(Visit(Some((Arc::clone(&self.by_address), address))))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some((by_address, address)) = &self.0 else { return };
        by_address.remove_if_mut(address, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

/// What counts as one address: whoever has one of IPv6 has all of its /64.
#[must_use]
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_as_many_connections_as_it_may() {
        let entrance = Entrance {
            per_address_max: Some(1),
            proxies: Arc::new(["10.0.0.1".parse().expect("an address")]),
            ..Entrance::default()
        };
        let present = Present::default();
        let admit = |address: &str| present.admit(&entrance, address.parse().expect("an address"));
        let first = admit("192.0.2.1").expect("the first");
        assert_eq!(admit("192.0.2.1").err(), Some(NotLetIn::TooMany));
        let _other = admit("192.0.2.2").expect("another address");
        let _proxies = [admit("10.0.0.1"), admit("10.0.0.1")].map(|one| one.expect("a proxy"));
        drop(first);
        assert!(admit("192.0.2.1").is_ok());
        let _in_v6 = admit("2001:db8::1").expect("the first");
        assert!(admit("2001:db8::2").is_err(), "the same /64");
    }

    #[test]
    fn strangers_are_not_let_in() {
        let networks: Arc<[Cidr]> = Arc::new(["10.0.0.0/8".parse().expect("a network")]);
        let takes =
            |accepts: &Accepts, address: &str| accepts.takes(address.parse().expect("an address"));
        let only = Accepts::Only(networks.clone());
        assert!(takes(&only, "10.1.1.1") && !takes(&only, "127.0.0.1"));
        let own = Accepts::OnlyAndLoopback(networks);
        assert!(takes(&own, "127.0.0.1") && takes(&own, "::1") && !takes(&own, "192.0.2.1"));
    }
}
