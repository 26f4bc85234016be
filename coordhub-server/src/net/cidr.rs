//! Networks, as people write them: an address, or one with the length of its prefix.

use std::{fmt, net::IpAddr, str::FromStr};

/// Some addresses that begin alike: `10.0.0.0/8`, `fd00::/8`, or one address alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    first: IpAddr,
    prefix_bits: u8,
}

impl Cidr {
    /// Whether an address is one of these. `::ffff:10.0.0.1` is `10.0.0.1`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(self.prefix_bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - u32::from(self.prefix_bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// A text that names no network.
#[derive(Debug, thiserror::Error)]
#[error("write an address or a network, such as 10.0.0.5, 10.0.0.0/8 or fd00::/8")]
pub struct InvalidCidr;

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| InvalidCidr)?;
        let bits_max = if first.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let prefix_bits = match prefix {
            None => bits_max,
            Some(text) if is_number(text) => text.parse().map_err(|_| InvalidCidr)?,
            Some(_) => return Err(InvalidCidr),
        };
        if prefix_bits > bits_max {
            return Err(InvalidCidr);
        }
        Ok(Self { first, prefix_bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, inside: &[&str], outside: &[&str]) {
        let cidr: Cidr = network.parse().expect("a network");
        let has = |address: &&str| cidr.contains(address.parse().expect("an address"));
        assert!(inside.iter().all(has), "{network}: {inside:?}");
        assert!(!outside.iter().any(has), "{network}: {outside:?}");
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        check("10.0.0.0/8", &["10.255.0.1", "::ffff:10.0.0.1"], &["11.0.0.0", "::1"]);
        check("10.1.2.3", &["10.1.2.3"], &["10.1.2.2"]);
        check("10.1.2.3/31", &["10.1.2.2"], &["10.1.2.1", "10.1.2.4"]);
        check("0.0.0.0/0", &["255.1.1.1"], &["::1"]);
        check("fd00::/8", &["fd12::1"], &["fe80::1", "10.0.0.1"]);
        check("::/0", &["::1"], &["127.0.0.1"]);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "a/8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
