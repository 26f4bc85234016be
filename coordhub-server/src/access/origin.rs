//! A web page elsewhere must not drive a hub on this machine.
//!
//! Three headers tell: `Host` (a name that somebody else's DNS points here), `Origin` and
//! `Sec-Fetch-Site` (a page of another site). All of it is decided from the request's head alone.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::gate::{self, AuthMode};
use crate::wire::Problem;

/// What the operator allows beyond the hub's own address.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Hosts that `Host` may name, without port, in lower case.
    pub hosts: Vec<String>,
    /// Origins (`scheme://host[:port]`) of pages that may call.
    pub origins: Vec<String>,
    /// The origin by which people reach the hub's own page, where that is not how the hub sees it.
    pub public: Option<String>,
}

/// The head of a request, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Head<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its target.
    pub uri: &'r Uri,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// The scheme by which it came.
    pub scheme: &'r str,
    /// How callers are known.
    pub auth: AuthMode,
}

/// What the head of a request says about who sent it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// A program; or a browser, by its own account of where it is sent from.
    Own,
    /// The hub's own page: the browser says so. A cookie counts from there alone.
    OwnPage,
    /// A page that the operator allows: it is told so by CORS headers with this origin.
    Allowed(HeaderValue),
}

/// Paths that a person may come to by a link from anywhere.
const LANDING_PATHS: [&str; 2] = ["/", "/docs"];
/// Exempt, so that a proxy or a monitor may ask by any name: it changes nothing and tells no secret.
const EXEMPT_PATH: &str = "/health";

impl Origins {
    /// Judges the head of a request.
    pub fn judge(&self, head: Head<'_>) -> Result<Verdict, Problem> {
        let headers = head.headers;
        if head.uri.path() == EXEMPT_PATH {
            return Ok(self.exempt(headers));
        }
        let host = self.check_host(head)?;
        for name in ["origin", "sec-fetch-site"] {
            if headers.get_all(name).iter().nth(1).is_some() {
                let detail = format!("the header {name} stands twice");
                return Err(forbidden("origin_not_allowed", detail));
            }
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            return self.check_origin(head.scheme, host, origin);
        }
        self.check_fetch_site(head)
    }

    /// Whoever asks is answered; a page that is allowed is told so.
    fn exempt(&self, headers: &HeaderMap) -> Verdict {
        match headers.get(header::ORIGIN) {
            Some(origin) if self.allows(origin) => Verdict::Allowed(origin.clone()),
            _ => Verdict::Own,
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let text = origin.to_str().unwrap_or("null");
        text != "null" && self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(text))
    }

    /// The request's own host, with its port, if it is one of this machine's or allowed.
    ///
    /// Whoever shows a token may name any: a page that had its name pointed here has none to show.
    fn check_host<'h>(&self, head: Head<'h>) -> Result<&'h str, Problem> {
        let Head { uri, headers, .. } = head;
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (uri.authority(), named.next(), named.next()) {
            (_, Some(_), Some(_)) => None,
            // An absolute target names the host, and wins (RFC 9112, 3.2.2).
            (Some(authority), _, None) => Some(authority.as_str()),
            (None, Some(host), None) => host.to_str().ok(),
            (None, None, None) | (_, None, Some(_)) => None,
        };
        let Some(host) = host else {
            return Err(forbidden("host_not_allowed", "the request must name one Host"));
        };
        let name = without_port(host).unwrap_or_default().to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let own = name == "localhost" || bare.parse::<IpAddr>().is_ok();
        let shows_token = head.auth == AuthMode::Token && gate::shows_secret(headers);
        if own || shows_token || self.hosts.contains(&name) {
            return Ok(host);
        }
        let detail = format!(
            "Host {name:?} is not one of this hub's; start it with --allow-host {name} to allow it"
        );
        Err(forbidden("host_not_allowed", detail))
    }

    fn check_origin(
        &self,
        scheme: &str,
        host: &str,
        origin: &HeaderValue,
    ) -> Result<Verdict, Problem> {
        let text = origin.to_str().unwrap_or("null");
        let of_request = text.split_once("://").is_some_and(|(its_scheme, its_host)| {
            its_scheme == scheme && its_host.eq_ignore_ascii_case(host)
        });
        let is_public = self.public.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(text));
        if of_request || is_public {
            return Ok(Verdict::OwnPage);
        }
        if self.allows(origin) {
            return Ok(Verdict::Allowed(origin.clone()));
        }
        let detail = format!(
            "pages of {text:?} may not call this hub; start it with --allow-origin {text} to allow them"
        );
        Err(forbidden("origin_not_allowed", detail))
    }

    fn check_fetch_site(&self, head: Head<'_>) -> Result<Verdict, Problem> {
        let Head { method, uri, headers, .. } = head;
        let of = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let site = of("sec-fetch-site");
        if site == Some(b"same-origin") {
            return Ok(Verdict::OwnPage);
        }
        let foreign = matches!(site, Some(b"cross-site" | b"same-site"));
        let landing = of("sec-fetch-mode") == Some(b"navigate")
            && *method == Method::GET
            && LANDING_PATHS.contains(&uri.path());
        if !foreign || landing {
            return Ok(Verdict::Own);
        }
        let detail = "a page of another site may not call this hub; start it with --allow-origin and that page's origin, and have the page send its Origin";
        Err(forbidden("origin_not_allowed", detail))
    }
}

/// The host without its port; an IPv6 address keeps its brackets. `None` where the port is no number.
fn without_port(host: &str) -> Option<&str> {
    let colon = match (host.rfind(':'), host.rfind(']')) {
        (Some(colon), Some(bracket)) if colon > bracket => colon,
        (Some(colon), None) => colon,
        _ => return Some(host),
    };
    let is_port = host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit());
    is_port.then_some(&host[..colon])
}

fn forbidden(code: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(target: &str, lines: &[(&str, &str)]) -> Result<Verdict, &'static str> {
        judge_over("http", AuthMode::Open, target, lines)
    }

    fn judge_over(
        scheme: &str,
        auth: AuthMode,
        target: &str,
        lines: &[(&str, &str)],
    ) -> Result<Verdict, &'static str> {
        let origins = Origins {
            hosts: vec!["hub.example".to_owned()],
            origins: vec!["https://page.example".to_owned()],
            public: Some("https://hub.example".to_owned()),
        };
        let (method, path) = target.split_once(' ').expect("method and path");
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: header::HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let (method, uri) = (method.parse().expect("a method"), path.parse().expect("a path"));
        let head = Head { method: &method, uri: &uri, headers: &headers, scheme, auth };
        origins.judge(head).map_err(|problem| problem.code())
    }

    #[test]
    fn whoever_shows_a_token_may_name_any_host() {
        let lines = [("host", "rebound.example"), ("authorization", "Bearer cht_x")];
        let over = |auth, lines: &[(&str, &str)]| judge_over("http", auth, "GET /state", lines);
        assert_eq!(over(AuthMode::Token, &lines), Ok(Verdict::Own));
        assert_eq!(over(AuthMode::Open, &lines), Err("host_not_allowed"));
        let with_cookie = [("host", "rebound.example"), ("cookie", "coordhub_x=chs_x")];
        assert_eq!(over(AuthMode::Token, &with_cookie), Err("host_not_allowed"));
    }

    #[test]
    fn the_scheme_of_an_origin_is_that_of_the_request() {
        let over = |scheme, origin| {
            let lines = [("host", "localhost:8550"), ("origin", origin)];
            judge_over(scheme, AuthMode::Token, "POST /messages/send", &lines)
        };
        assert_eq!(over("https", "https://localhost:8550"), Ok(Verdict::OwnPage));
        assert_eq!(over("https", "http://localhost:8550"), Err("origin_not_allowed"));
        assert_eq!(over("http", "https://hub.example"), Ok(Verdict::OwnPage));
        assert_eq!(over("http", "http://hub.example"), Err("origin_not_allowed"));
    }

    #[test]
    fn hosts() {
        for host in [
            "localhost",
            "localhost:8550",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:8550",
            "[::1]",
            "[::1]:8550",
            "192.168.1.5:80",
            "hub.example",
            "Hub.Example:8550",
        ] {
            assert_eq!(judge("GET /state", &[("host", host)]), Ok(Verdict::Own), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "evil.example:8550", "localhost:x", ""]
        {
            assert_eq!(judge("GET /state", &[("host", host)]), Err("host_not_allowed"), "{host}");
            assert_eq!(judge("GET /health", &[("host", host)]), Ok(Verdict::Own), "{host}");
        }
        assert_eq!(judge("GET /state", &[]), Err("host_not_allowed"));
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(judge("GET /state", &twice), Err("host_not_allowed"));
        assert_eq!(
            judge("GET http://evil.example/state", &[("host", "localhost")]),
            Err("host_not_allowed")
        );
    }

    #[test]
    fn origins() {
        let with = |origin| {
            judge("POST /messages/send", &[("host", "localhost:8550"), ("origin", origin)])
        };
        assert_eq!(with("http://localhost:8550"), Ok(Verdict::OwnPage));
        let allowed = Verdict::Allowed(HeaderValue::from_static("https://page.example"));
        assert_eq!(with("https://page.example"), Ok(allowed));
        for foreign in [
            "null",
            "http://localhost:3000",
            "http://localhost",
            "https://localhost:8550",
            "http://evil.example",
            "https://page.example:444",
            "",
        ] {
            assert_eq!(with(foreign), Err("origin_not_allowed"), "{foreign}");
        }
    }

    #[test]
    fn fetch_metadata_without_an_origin() {
        let with = |target, site, mode| {
            judge(
                target,
                &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)],
            )
        };
        assert_eq!(with("GET /tasks/list", "none", "cors"), Ok(Verdict::Own));
        assert_eq!(with("GET /tasks/list", "same-origin", "cors"), Ok(Verdict::OwnPage));
        for site in ["cross-site", "same-site"] {
            assert_eq!(with("GET /", site, "navigate"), Ok(Verdict::Own));
            assert_eq!(with("GET /docs", site, "navigate"), Ok(Verdict::Own));
            for (target, mode) in [
                ("GET /", "no-cors"),
                ("GET /tasks/list", "navigate"),
                ("POST /", "navigate"),
                ("POST /tasks/create", "no-cors"),
            ] {
                assert_eq!(with(target, site, mode), Err("origin_not_allowed"), "{target} {mode}");
            }
        }
    }
}
