//! What the values of options mean.

use std::net::SocketAddr;

use axum::http::Uri;
use coordhub_server::access::gate::AuthMode;

/// An address to listen on. `localhost` is the loopback address.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().map_err(|_| "write an address and a port, such as 127.0.0.1:8550".to_owned())
}

/// How callers are known.
pub(super) fn auth(text: &str) -> Result<AuthMode, String> {
    [AuthMode::Open, AuthMode::Token]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| "write open or token".to_owned())
}

/// A name as it stands in `Host`: without scheme, path and port, in lower case.
pub(super) fn host(text: &str) -> Result<String, String> {
    let wrong = || "write a host name alone, such as hub.example".to_owned();
    let authority: axum::http::uri::Authority = text.parse().map_err(|_| wrong())?;
    if text.contains('@') || authority.host().is_empty() {
        return Err(wrong());
    }
    Ok(authority.host().to_ascii_lowercase())
}

/// An origin as browsers send it: scheme, host and port, nothing behind them.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let wrong = || "write an origin, such as https://page.example".to_owned();
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.authority(), uri.path()) {
        (Some(scheme @ ("http" | "https")), Some(authority), "" | "/") if !text.contains('@') => {
            Ok(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
        }
        _ => Err(wrong()),
    }
}

/// A count that is not zero.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a number above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_meant_or_refused() {
        assert!(address("localhost:8550").is_ok() && address("[::1]:1").is_ok());
        assert!(address("localhost").is_err() && address("8550").is_err());
        assert_eq!(host("Hub.Example:8550").as_deref(), Ok("hub.example"));
        assert!(host("http://hub.example").is_err() && host("a@b").is_err());
        let page = Ok("https://page.example");
        assert_eq!(origin("https://Page.example/").as_deref(), page.as_ref().map(|p: &&str| *p));
        assert!(origin("page.example").is_err() && origin("https://page.example/x").is_err());
        assert!(origin("null").is_err());
        assert_eq!(count("3"), Ok(3));
        assert!(count("0").is_err() && count("-1").is_err());
    }
}
