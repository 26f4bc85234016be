//! The lines of the table: what was to be reached, and what was.

use coordhub_server::bench::finding::grouped;
use serde_json::{Value, json};

use crate::pairs::Share;

/// What a line is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// At least this share of the ceiling.
    AtLeast(f64),
    /// At most so many times the ceiling's.
    AtMost(f64),
    /// No worse than the other, the whole interval at least this share of it.
    NotBelow(f64),
    /// Less than so much, in the unit of the line, whatever the ceiling.
    Under(f64),
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What was done.
    pub(crate) work: String,
    /// Of what the figures are.
    pub(crate) unit: &'static str,
    /// What was reached beside what is the most that can be.
    pub(crate) share: Share,
    /// What it is compared with.
    pub(crate) beside: &'static str,
    /// What is to be reached.
    pub(crate) wanted: Wanted,
}

impl Line {
    /// Whether it was reached.
    pub(crate) fn is_reached(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(share) => self.share.median >= share,
            Wanted::AtMost(times) => self.share.median <= times,
            Wanted::NotBelow(share) => self.share.interval.0 >= share,
            Wanted::Under(most) => self.share.this < most,
        }
    }

    fn wanted(&self) -> String {
        match self.wanted {
            Wanted::AtLeast(share) | Wanted::NotBelow(share) => format!("≥ {share:.2}"),
            Wanted::AtMost(times) => format!("≤ {times:.2}"),
            Wanted::Under(most) => format!("< {}", grouped(most)),
        }
    }

    fn verdict(&self) -> &'static str {
        if self.is_reached() { "reached" } else { "FALLS SHORT" }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "work": self.work,
            "unit": self.unit,
            "figure": self.share.this,
            "beside": self.beside,
            "ceiling": self.share.that,
            "share": self.share.median,
            "interval": [self.share.interval.0, self.share.interval.1],
            "wanted": self.wanted(),
            "reached": self.is_reached(),
        })
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!(
        "{:<58} {:>10} {:<13} {:>10} {:<26} {:>6} {:<14} {:>9}",
        "work", "figure", "", "beside", "", "share", "interval", "wanted"
    )
}

/// A line of the table.
pub(crate) fn row(line: &Line) -> String {
    let Share { this, that, median, interval: (low, high) } = line.share;
    let compared = if that > 0.0 {
        let interval = format!("[{low:.2}, {high:.2}]");
        format!("{:>10} {:<26} {median:>6.2} {interval:<14}", grouped(that), line.beside)
    } else {
        format!("{:>10} {:<26} {:>6} {:<14}", "", line.beside, "", "")
    };
    let (figure, unit) = (grouped(this), line.unit);
    let row = format!("{:<58} {figure:>10} {unit:<13} {compared}", line.work);
    format!("{row} {:>9}  {}", line.wanted(), line.verdict()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_reached_or_falls_short() {
        let share = Share { this: 9.0, that: 10.0, median: 0.9, interval: (0.8, 1.0) };
        for (wanted, reached) in [
            (Wanted::AtLeast(0.9), true),
            (Wanted::AtLeast(0.91), false),
            (Wanted::AtMost(0.9), true),
            (Wanted::AtMost(0.8), false),
            (Wanted::NotBelow(0.8), true),
            (Wanted::NotBelow(0.85), false),
            (Wanted::Under(10.0), true),
            (Wanted::Under(9.0), false),
        ] {
            let line = Line { work: "w".into(), unit: "u", share, beside: "b", wanted };
            assert_eq!(line.is_reached(), reached, "{wanted:?}");
            assert_eq!(row(&line).contains("FALLS SHORT"), !reached, "{}", row(&line));
        }
    }
}
