//! What a workload found, as lines for a person or one JSON object for a program.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Figures in the order in which they were added, and how many faults are among them.
#[derive(Default)]
pub(crate) struct Report {
    figures: Vec<(Cow<'static, str>, Value)>,
    faults: u64,
}

impl Report {
    /// A figure that is only worth knowing.
    pub(crate) fn figure(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.figures.push((name.into(), value.into()));
    }

    /// A count that has to be 0.
    pub(crate) fn fault(&mut self, name: &'static str, count: u64) {
        self.faults += count;
        self.figure(name, count);
    }

    /// No fault was counted.
    pub(crate) fn is_clean(&self) -> bool {
        self.faults == 0
    }

    /// Writes the report to stdout.
    pub(crate) fn print(&self, json: bool) {
        if json {
            let object: Map<_, _> = self
                .figures
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect();
            println!("{}", Value::Object(object));
        } else {
            for (name, value) in &self.figures {
                println!("{name:<24} {value}");
            }
        }
    }
}

/// One decimal is all that such figures are good for.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
