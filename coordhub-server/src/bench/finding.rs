//! What a workload found: for people a line of a table, for programs an object.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

use serde_json::{Map, Value, json};

use super::histogram::Histogram;

/// How a workload decides when to ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// As soon as the last answer is there. What a stall keeps from being asked, no quantile shows.
    Closed,
    /// By the clock. A latency counts from when it was to be asked, so a stall shows in all that it holds up.
    Clock,
    /// Nothing is asked: something is looked at.
    AtRest,
}

impl Pace {
    fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Clock => "clock",
            Self::AtRest => "at rest",
        }
    }
}

/// What one workload found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its name.
    pub name: String,
    /// How it decided when to ask.
    pub pace: Pace,
    /// How many a second, and of what.
    pub rate: Option<(f64, &'static str)>,
    /// How long they took.
    pub latencies: Option<Histogram>,
    figures: Vec<(Cow<'static, str>, Value)>,
    faults: Vec<(&'static str, u64)>,
}

impl Finding {
    /// Nothing found yet.
    pub fn new(name: impl Into<String>, pace: Pace) -> Self {
        let name = name.into();
        Self { name, pace, rate: None, latencies: None, figures: Vec::new(), faults: Vec::new() }
    }

    /// So many within a time.
    pub fn count(&mut self, count: u64, elapsed: Duration, what: &'static str) {
        self.rate = Some((count as f64 / elapsed.as_secs_f64().max(1e-3), what));
    }

    /// A figure that is worth knowing.
    pub fn figure(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.figures.push((name.into(), value.into()));
    }

    /// A count that has to be 0.
    pub fn fault(&mut self, name: &'static str, count: u64) {
        self.faults.push((name, count));
    }

    /// How many a second; 0 where nothing was counted.
    pub fn per_second(&self) -> f64 {
        self.rate.map_or(0.0, |(rate, _)| rate)
    }

    /// What `per_mille` of the latencies do not exceed.
    pub fn quantile(&self, per_mille: u64) -> Duration {
        self.latencies.as_ref().map_or(Duration::ZERO, |latencies| latencies.quantile(per_mille))
    }

    /// A figure by its name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(it, _)| it == name)?.1.as_f64()
    }

    /// The counts that had to be 0 and are not.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.faults.iter().copied().filter(|(_, count)| *count > 0)
    }

    /// For programs. Latencies are in microseconds.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".into(), json!(self.name));
        object.insert("pace".into(), json!(self.pace.word()));
        if let Some((rate, what)) = self.rate {
            object.insert("per_second".into(), json!(rounded(rate)));
            object.insert("of".into(), json!(what));
        }
        if let Some(latencies) = &self.latencies {
            let micros = |latency: Duration| rounded(latency.as_secs_f64() * 1e6);
            let quantiles = json!({
                "p50": micros(latencies.quantile(500)),
                "p90": micros(latencies.quantile(900)),
                "p99": micros(latencies.quantile(990)),
                "p999": micros(latencies.quantile(999)),
                "max": micros(latencies.longest()),
                "count": latencies.total(),
            });
            object.insert("latency_us".into(), quantiles);
        }
        for (name, value) in &self.figures {
            object.insert(name.clone().into_owned(), value.clone());
        }
        let faults: Map<_, _> =
            self.faults.iter().map(|(name, count)| ((*name).into(), json!(count))).collect();
        object.insert("faults".into(), Value::Object(faults));
        Value::Object(object)
    }
}

/// The head of the table of [`row`]s.
pub fn head() -> String {
    format!(
        "{:<22} {:<8} {:>12} {:<14} {:>9} {:>9} {:>9} {:>9}",
        "workload", "pace", "a second", "", "p50", "p99", "p99.9", "max"
    )
}

/// A finding as a line of a table, and further lines for what has no column.
pub fn row(finding: &Finding) -> String {
    let (rate, what) = match finding.rate {
        Some((rate, what)) => (grouped(rate), what),
        None => ("".into(), ""),
    };
    let mut row = format!("{:<22} {:<8} {rate:>12} {what:<14}", finding.name, finding.pace.word());
    if let Some(it) = &finding.latencies {
        for latency in [it.quantile(500), it.quantile(990), it.quantile(999), it.longest()] {
            let _infallible = write!(row, " {:>9}", short(latency));
        }
    }
    let mut row = row.trim_end().to_owned();
    for (name, value) in &finding.figures {
        let value = match value {
            Value::Null => "unknown".to_owned(),
            it => it.as_f64().map_or_else(|| it.to_string(), grouped),
        };
        let _infallible = write!(row, "\n{:24}{}: {value}", "", name.replace('_', " "));
    }
    for (name, count) in finding.faults() {
        let _infallible = write!(row, "\n{:24}FAULT, {}: {count}", "", name.replace('_', " "));
    }
    row
}

/// One decimal is all that such figures are good for.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// `1234567.8` as `1,234,568`; small numbers with a decimal.
pub fn grouped(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A latency in three digits and its unit.
pub fn short(latency: Duration) -> String {
    let micros = latency.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        0.0..1e3 => (micros, "µs"),
        1e3..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        for (value, text) in [
            (0.0, "0"),
            (12.34, "12.3"),
            (100.0, "100"),
            (999.9, "1,000"),
            (1_234_567.8, "1,234,568"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(grouped(value), text);
        }
        for (micros, text) in [
            (0, "0.00 µs"),
            (42, "42.0 µs"),
            (1_500, "1.50 ms"),
            (250_000, "250 ms"),
            (3_000_000, "3.00 s"),
        ] {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn only_faults_that_happened_are_faults() {
        let mut finding = Finding::new("send-1", Pace::Closed);
        finding.count(10, Duration::from_secs(2), "messages");
        finding.fault("lost", 0);
        assert_eq!((finding.per_second(), finding.faults().count()), (5.0, 0));
        finding.fault("doubled", 2);
        finding.figure("stored", 1000);
        assert!(row(&finding).contains("FAULT, doubled: 2"), "{}", row(&finding));
        assert!(row(&finding).contains("stored: 1,000"), "{}", row(&finding));
        let json = finding.to_json();
        assert_eq!((&json["faults"]["lost"], &json["faults"]["doubled"]), (&json!(0), &json!(2)));
        assert_eq!(finding.get("stored"), Some(1000.0));
    }
}
