//! Where a hub is.

use std::net::IpAddr;

use hyper::Uri;

/// A hub's address, taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Address {
    /// As it was given, without a slash at its end.
    pub(super) url: String,
    pub(super) scheme: Scheme,
    /// The name or number to connect to.
    pub(super) host: String,
    pub(super) port: u16,
    /// What `Host` says.
    pub(super) authority: String,
    /// What stands before every path.
    pub(super) prefix: String,
}

/// How the hub is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let shown = shown(url);
        let wrong = || format!("{shown}: write the hub's address, such as http://localhost:8550");
        let url = url.trim().trim_end_matches('/');
        if url.contains(['@', '?', '#']) {
            return Err(format!(
                "{shown}: an address has neither a name and password nor a query; a token is given by itself"
            ));
        }
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.host().is_empty() {
            return Err(wrong());
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => match scheme {
                Scheme::Http => 80,
                Scheme::Https => 443,
            },
            // Nobody means the usual port who names another that is none.
            rest => rest.and_then(port).ok_or_else(|| {
                format!("{shown}: the port after the colon is a number from 1 to 65535")
            })?,
        };
        Ok(Self {
            url: url.to_owned(),
            scheme,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port,
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Whether what is sent there stays on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
    }

    /// Refuses to send a token for all to read.
    pub(super) fn check_secret(&self) -> Result<(), String> {
        if self.scheme == Scheme::Https || self.is_here() {
            return Ok(());
        }
        let (url, port, host) = (&self.url, self.port, &self.host);
        Err(format!(
            "{url} is another machine, and a token would go there for all to read: ask it by https, or through a tunnel (ssh -L {port}:localhost:{port} {host})"
        ))
    }
}

/// An address as it may be shown, right or wrong: what somebody put into it as a secret is not repeated.
pub(super) fn shown(url: &str) -> String {
    let url = url.trim();
    let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
    let rest = match (rest.rfind('@'), rest.find(['?', '#'])) {
        (None, None) => rest,
        (None, Some(query)) => &rest[..query],
        (Some(at), Some(query)) if query > at => &rest[at + 1..query],
        (Some(at), None) => &rest[at + 1..],
        // Who knows where the secret ends.
        (Some(_), Some(_)) => "…",
    };
    format!("{scheme}{rest}")
}

/// The port behind a host.
fn port(rest: &str) -> Option<u16> {
    let digits = rest.strip_prefix(':')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| is_number && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_port_is_no_other_port() {
        for wrong in [":85500", ":", ":0", ":-1", ":+1", ":x"] {
            for host in ["http://localhost", "https://hub.example", "http://[::1]"] {
                assert!(Address::parse(&format!("{host}{wrong}")).is_err(), "{host}{wrong}");
            }
        }
        assert_eq!(Address::parse("http://localhost:65535").map(|it| it.port), Ok(65_535));
    }

    #[test]
    fn a_secret_in_an_address_is_not_repeated() {
        for (url, expected) in [
            ("http://me:secret@hub:1/a", "http://hub:1/a"),
            ("http://me:sec/ret@hub", "http://hub"),
            ("http://me:sec?ret@hub", "http://…"),
            ("http://hub/?token=secret", "http://hub/"),
            ("http://hub/a#secret", "http://hub/a"),
            ("http://hub?token=se@cret", "http://…"),
            ("http://secret@hub?token=secret", "http://hub"),
            ("secret@hub", "hub"),
        ] {
            assert_eq!(shown(url), expected);
            let refused = Address::parse(url).map_err(|why| why.contains("cret"));
            assert_eq!(refused, Err(false), "{url}");
        }
        assert_eq!(shown(" http://localhost:8550/a "), "http://localhost:8550/a");
    }

    #[test]
    fn addresses_are_taken_apart() {
        let parsed =
            |url| Address::parse(url).map(|it| (it.host, it.port, it.authority, it.prefix));
        let is = |host: &str, port, authority: &str, prefix: &str| {
            Ok((host.to_owned(), port, authority.to_owned(), prefix.to_owned()))
        };
        assert_eq!(parsed("http://localhost:8550/"), is("localhost", 8550, "localhost:8550", ""));
        assert_eq!(
            parsed("https://hub.example/a/b/"),
            is("hub.example", 443, "hub.example", "/a/b")
        );
        assert_eq!(parsed("http://[::1]:1"), is("::1", 1, "[::1]:1", ""));
        for wrong in
            ["", "localhost:8550", "ftp://a", "http://", "http://a@b", "http://a/?b", "http://a b"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_goes_nowhere_in_plain() {
        let check = |url| Address::parse(url).and_then(|address| address.check_secret());
        for fine in [
            "http://localhost",
            "http://127.9.9.9:1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "https://hub.example",
        ] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for wrong in
            ["http://hub.example", "http://192.168.0.1", "http://localhost.example", "http://[::]"]
        {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
