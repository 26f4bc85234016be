//! How the hub faces a network: who may reach it, over what, and by whose word it believes who they are.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header::HeaderName};

use super::gate::AuthMode;
use crate::net::{Accepts, Cidr, Peer, TlsFiles};

/// What an operator says about the network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The only networks that may come, where any is named.
    pub trusted: Vec<Cidr>,
    /// Proxies, whose word for whom they speak is believed.
    pub proxies: Vec<Cidr>,
    /// Certificate and key, where the hub itself speaks TLS.
    pub tls: Option<TlsFiles>,
}

/// The hub would listen where it must not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExposedError {
    /// It would have no way to know who calls.
    #[error(
        "{0} can be reached from other machines, where in open mode anybody could act as anybody: start with --auth token, or with --trusted-network and the addresses that may come, or bind a loopback address such as 127.0.0.1:8550"
    )]
    Open(SocketAddr),
    /// Tokens could be read on their way.
    #[error(
        "{0} can be reached from other machines, and tokens could be read on the way: start with --tls-cert and --tls-key, or with --behind-proxy and the address of the proxy that speaks TLS, or bind a loopback address such as 127.0.0.1:8550"
    )]
    Readable(SocketAddr),
}

impl Network {
    /// Whether the hub may listen at these addresses.
    pub fn check(&self, bind: &[SocketAddr], auth: AuthMode) -> Result<(), ExposedError> {
        let Some(exposed) = bind.iter().find(|at| !at.ip().to_canonical().is_loopback()) else {
            return Ok(());
        };
        match auth {
            // No secret goes over the wire, and the networks that may come are said to be trusted.
            AuthMode::Open if self.trusted.is_empty() => Err(ExposedError::Open(*exposed)),
            AuthMode::Token if self.tls.is_none() && self.proxies.is_empty() => {
                Err(ExposedError::Readable(*exposed))
            }
            _ => Ok(()),
        }
    }

    /// Whose connections are taken. Whoever came past the proxy would come without TLS.
    pub fn accepts(&self) -> Accepts {
        if !self.trusted.is_empty() {
            Accepts::Only(self.trusted.iter().chain(&self.proxies).copied().collect())
        } else if !self.proxies.is_empty() && self.tls.is_none() {
            Accepts::OnlyAndLoopback(self.proxies.iter().copied().collect())
        } else {
            Accepts::All
        }
    }

    /// Who sends a request: the other end of the connection, or whom a proxy there names.
    pub fn client(&self, peer: Option<&Peer>, headers: &HeaderMap) -> Client {
        let Some(peer) = peer else { return Client::default() };
        let address = peer.address.ip().to_canonical();
        if !self.is_proxy(address) {
            return Client { address: Some(address), is_secure: peer.is_secure };
        }
        Client {
            address: Some(self.forwarded_for(headers).unwrap_or(address)),
            is_secure: last_word(headers, &FORWARDED_PROTO)
                .map_or(peer.is_secure, |scheme| scheme.eq_ignore_ascii_case("https")),
        }
    }

    /// Whether somebody that a proxy speaks for may come.
    pub fn trusts(&self, client: &Client) -> bool {
        let among = |address| self.trusted.iter().any(|one| one.contains(address));
        self.trusted.is_empty() || client.address.is_none_or(among)
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|one| one.contains(address))
    }

    /// The last address that is no proxy's: each proxy adds the one that it saw, and what stands before
    /// that anybody may have written. `None` where the last word is no address.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all(&FORWARDED_FOR).iter().rev();
        let words = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        let mut nearest = None;
        for word in words {
            let Some(address) = address_in(word.trim()) else { return nearest };
            nearest = Some(address);
            if !self.is_proxy(address) {
                return nearest;
            }
        }
        nearest
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Client {
    /// From where; nothing is known of it where the server is part of another program's.
    pub address: Option<IpAddr>,
    /// Whether it speaks TLS, with the hub or with a proxy before it.
    pub is_secure: bool,
}

impl Client {
    /// The scheme by which it came.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

fn last_word<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// An address, with or without a port.
fn address_in(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn network(trusted: &[&str], proxies: &[&str]) -> Network {
        let cidrs =
            |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a network")).collect();
        Network { trusted: cidrs(trusted), proxies: cidrs(proxies), tls: None }
    }

    #[test]
    fn a_bind_that_others_reach_needs_more() {
        let check = |network: &Network, at: &str, auth| {
            network.check(&[at.parse().expect("an address")], auth)
        };
        let (none, any) = (network(&[], &[]), "0.0.0.0:1");
        for auth in [AuthMode::Open, AuthMode::Token] {
            assert_eq!(check(&none, "127.0.0.1:1", auth), Ok(()));
            assert_eq!(check(&none, "[::1]:1", auth), Ok(()));
            assert!(check(&none, any, auth).is_err() && check(&none, "[::]:1", auth).is_err());
        }
        assert_eq!(check(&network(&["10.0.0.0/8"], &[]), any, AuthMode::Open), Ok(()));
        assert!(check(&network(&["10.0.0.0/8"], &[]), any, AuthMode::Token).is_err());
        assert_eq!(check(&network(&[], &["10.0.0.1"]), any, AuthMode::Token), Ok(()));
        assert!(check(&network(&[], &["10.0.0.1"]), any, AuthMode::Open).is_err());
        let tls = Some(TlsFiles { cert: "c".into(), key: "k".into() });
        assert_eq!(check(&Network { tls, ..none }, any, AuthMode::Token), Ok(()));
    }

    fn check_client(peer: &str, lines: &[(&'static str, &'static str)], expected: (&str, &str)) {
        let network = network(&[], &["10.0.0.0/8", "::1"]);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let peer =
            Peer { address: SocketAddr::new(peer.parse().expect("one"), 1), is_secure: false };
        let client = network.client(Some(&peer), &headers);
        let address = client.address.map(|address| address.to_string());
        assert_eq!((address.as_deref(), client.scheme()), (Some(expected.0), expected.1));
    }

    #[test]
    fn only_a_proxy_is_believed() {
        let (who, how) = ("x-forwarded-for", "x-forwarded-proto");
        check_client("192.0.2.1", &[(who, "198.51.100.7"), (how, "https")], ("192.0.2.1", "http"));
        check_client(
            "10.0.0.1",
            &[(who, "198.51.100.7"), (how, "https")],
            ("198.51.100.7", "https"),
        );
        check_client("10.0.0.1", &[], ("10.0.0.1", "http"));
        check_client("::ffff:10.0.0.1", &[(who, "2001:db8::1")], ("2001:db8::1", "http"));
    }

    #[test]
    fn what_the_client_wrote_itself_is_not_believed() {
        let who = "x-forwarded-for";
        check_client("10.0.0.1", &[(who, "1.1.1.1, 198.51.100.7")], ("198.51.100.7", "http"));
        check_client(
            "10.0.0.1",
            &[(who, "1.1.1.1"), (who, "198.51.100.7")],
            ("198.51.100.7", "http"),
        );
        check_client("10.0.0.1", &[(who, "198.51.100.7, 10.9.9.9")], ("198.51.100.7", "http"));
        check_client("10.0.0.1", &[(who, "1.1.1.1, unknown, 10.9.9.9")], ("10.9.9.9", "http"));
        check_client("10.0.0.1", &[(who, "unknown")], ("10.0.0.1", "http"));
        check_client("10.0.0.1", &[(who, "198.51.100.7:4711")], ("198.51.100.7", "http"));
        check_client("::1", &[(who, "[2001:db8::1]:4711")], ("2001:db8::1", "http"));
        check_client("10.0.0.1", &[("x-forwarded-proto", "https, http")], ("10.0.0.1", "http"));
    }
}
