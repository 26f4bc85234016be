//! Instants as the hub records them: UTC, whole milliseconds.
//!
//! Nothing in this crate but [`Clock`](crate::engine::Clock) asks what time it is; time is an
//! argument everywhere else. Waiting, which decides nothing, goes by `deadline_in`.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant in UTC, in milliseconds since 1970.
///
/// It is written as RFC 3339 with milliseconds, and read from any RFC 3339 text that names a zone.
///
/// ```
/// use coordhub_core::Timestamp;
/// let t = Timestamp::parse("2026-11-24T08:00:00+01:00").expect("a zone is named");
/// assert_eq!(t.to_string(), "2026-11-24T07:00:00.000Z");
/// assert!(Timestamp::parse("2026-11-24T08:00:00").is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 instant with a zone, or lies outside the years 1970 to 9999.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is not a time; write RFC 3339 with a zone, such as 2026-11-24T07:00:00Z (years 1970 to 9999)"
)]
pub struct InvalidTimestamp(String);

/// 9999-12-31T23:59:59.999Z: the last instant that four digits of a year can name.
const MILLIS_MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The instant `millis` milliseconds after 1970 began, drawn into the years 1970 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, MILLIS_MAX))
    }

    /// Reads RFC 3339 text; a zone must be named.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp(text.chars().take(64).collect());
        let instant: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
        let millis = instant.as_millisecond();
        if (0..=MILLIS_MAX).contains(&millis) { Ok(Self(millis)) } else { Err(invalid()) }
    }

    /// Milliseconds since 1970 began.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The instant `millis` later (earlier, where negative).
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The civil date by counting days in eras of 400 years that begin on the first of March.
        // Every message carries a time, and the general formatter was a visible part of encoding it.
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let z = days + 719_468;
        let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], ms / 3_600_000);
        digits(&mut text[14..16], ms / 60_000 % 60);
        digits(&mut text[17..19], ms / 1_000 % 60);
        digits(&mut text[20..23], ms % 1_000);
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Writes `value` in decimal, right-aligned, over the whole of `place`.
fn digits(place: &mut [u8], mut value: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// The instant after `timeout`, for waiting only: nothing that is decided depends on it.
#[expect(clippy::disallowed_methods, reason = "waiting decides nothing")]
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    let now = Instant::now();
    // A wait that no clock can hold ends after a day, and whoever waits waits again.
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_agrees_with_an_independent_calendar() {
        for days in (0..2_932_896).step_by(97) {
            let millis = days * 86_400_000 + (days * 7_919) % 86_400_000;
            let theirs = jiff::Timestamp::from_millisecond(millis).expect("in range");
            assert_eq!(Timestamp::from_millis(millis).to_string(), format!("{theirs:.3}"));
        }
    }

    #[test]
    fn reading_needs_a_zone_and_a_sane_year() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-24T07:00:00.123456Z", Some(1_795_503_600_123)),
            ("2026-11-24T08:00:00.5+01:00", Some(1_795_503_600_500)),
            ("2026-11-24T07:00:00", None),
            ("2026-11-24", None),
            ("yesterday", None),
            ("1969-12-31T23:59:59Z", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse(text).ok().map(Timestamp::millis), millis, "{text}");
        }
    }
}
