//! What the values of options mean.

use std::net::SocketAddr;

use crate::access::gate::AuthMode;
use axum::http::Uri;
use coordhub_core::{limits::KEY_HOURS, model::HistoryKind};

/// A hundred years.
const AGE_HOURS_MAX: i64 = 36_500 * 24;

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

/// An age in milliseconds: a number and a unit. As long as idempotency keys are kept at least, for what
/// they stand for is looked up.
pub(super) fn age(text: &str) -> Result<i64, String> {
    let wrong = || "write a number and a unit: hours or days, such as 36h or 30d".to_owned();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let hours = match unit {
        "h" => number,
        "d" => number.saturating_mul(24),
        _ => return Err(wrong()),
    };
    if !(KEY_HOURS..=AGE_HOURS_MAX).contains(&hours) {
        return Err("from 1d to 36500d; what is a day old is still needed".to_owned());
    }
    Ok(hours * 60 * 60 * 1_000)
}

/// A part of the past.
pub(super) fn history_kind(text: &str) -> Result<HistoryKind, String> {
    let known = || format!("write one of: {}", HistoryKind::WORDS.join(", "));
    HistoryKind::parse(text).ok_or_else(known)
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
        assert_eq!((age("36h"), age("30d")), (Ok(129_600_000), Ok(2_592_000_000)));
        for wrong in ["", "30", "d", "23h", "0d", "-1d", "3w", "99999999999999999999d", "40000d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        assert!(history_kind("tasks").is_ok() && history_kind("everything").is_err());
        assert_eq!(count("3"), Ok(3));
        assert!(count("0").is_err() && count("-1").is_err());
    }
}
