//! A name for each request, in its reply and in the log: the caller's own where it is sane, else one of the hub's.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::access::secret;

/// The header, in requests and in replies.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name that is taken from a caller.
const BYTES_MAX: usize = 64;

/// The name of a request, for whoever answers it.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

/// Counts requests; begins elsewhere in each process, so that two runs do not give the same names.
#[derive(Debug)]
pub struct RequestIds {
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // The standard library's hasher is keyed at random: entropy enough for names, and no dependency.
        let start = RandomState::new().build_hasher().finish();
        Self { next: AtomicU64::new(start) }
    }
}

impl RequestIds {
    /// The name of the request with this head.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => given.clone(),
            _ => self.fresh(),
        }
    }

    fn fresh(&self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number = self.next.fetch_add(1, Relaxed);
        let mut name = [0; 16];
        for (place, digit) in name.iter_mut().rev().enumerate() {
            *digit = DIGITS[(number >> (4 * place)) as usize & 15];
        }
        // Hexadecimal digits are always a value.
        HeaderValue::from_bytes(&name).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// Whether a caller's own name for a request, or a frame, is kept: it is written down, so a secret is none.
pub fn is_sane(name: &[u8]) -> bool {
    (1..=BYTES_MAX).contains(&name.len())
        && name.iter().all(u8::is_ascii_graphic)
        && str::from_utf8(name).is_ok_and(|text| !secret::is_in(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_name_is_kept_and_another_is_not() {
        let ids = RequestIds { next: AtomicU64::new(0xab) };
        let long = "x".repeat(BYTES_MAX + 1);
        for (given, expected) in [
            (None, "00000000000000ab"),
            (Some("my-request/7"), "my-request/7"),
            (Some("two words"), "00000000000000ac"),
            (Some(""), "00000000000000ad"),
            (Some("\u{e9}"), "00000000000000ae"),
            (Some(long.as_str()), "00000000000000af"),
            (Some(&long[1..]), &long[1..]),
            (Some("cht_AAAA"), "00000000000000b0"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                let value = HeaderValue::from_bytes(given.as_bytes()).expect("a value");
                headers.insert(REQUEST_ID, value);
            }
            assert_eq!(ids.of(&headers), expected, "{given:?}");
        }
    }
}
