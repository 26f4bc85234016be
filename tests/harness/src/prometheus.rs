//! A strict reader of Prometheus' text format 0.0.4: what it takes, every scraper takes.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of a page, by name and labels as they are written.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: BTreeMap<(String, String), f64>,
}

impl Metrics {
    /// Reads a page. Panics where it breaks a rule.
    pub fn parse(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line has no end");
        let (mut metrics, mut kinds) = (Self::default(), BTreeMap::new());
        let mut family = String::new();
        let mut left = BTreeSet::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                let (word, name) = (words.next().unwrap(), words.next().unwrap().to_owned());
                let text = words.next().expect("a text, or a type");
                match word {
                    "HELP" => {
                        assert!(is_name(&name), "{line}");
                        assert!(left.insert(name.clone()), "{name} comes twice");
                        family = name;
                    }
                    "TYPE" => {
                        assert_eq!(name, family, "a type after another family's help");
                        assert!(["counter", "gauge", "histogram"].contains(&text), "{line}");
                        kinds.insert(name, text.to_owned());
                    }
                    _ => panic!("neither help nor type: {line}"),
                }
                continue;
            }
            let (name, labels, value) = sample(line);
            let kind = kinds.get(&family).unwrap_or_else(|| panic!("no type before {line}"));
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}: {family}?"));
            match kind.as_str() {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
                kind => {
                    assert_eq!(suffix, "", "{line}");
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                }
            }
            let before = metrics.samples.insert((name, labels), value);
            assert_eq!(before, None, "{line} comes twice");
        }
        for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            metrics.check_histograms(name);
        }
        metrics
    }

    /// A sample that must be there.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &str) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no {name}{{{labels}}} in {self:#?}"))
    }

    /// A sample, where it is there.
    pub fn find(&self, name: &str, labels: &str) -> Option<f64> {
        self.samples.get(&(name.to_owned(), labels.to_owned())).copied()
    }

    /// Buckets of each series ascend and end in the count.
    fn check_histograms(&self, name: &str) {
        let bucket = format!("{name}_bucket");
        let mut series: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for ((_, labels), value) in self.samples.iter().filter(|((of, _), _)| *of == bucket) {
            let (rest, bound) = labels.rsplit_once("le=\"").expect("le is the last label");
            let bound = bound.strip_suffix('"').unwrap();
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            series.entry(rest.trim_end_matches(',')).or_default().push((bound, *value));
        }
        for (labels, mut buckets) in series {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name} {buckets:?}");
            let (bound, all) = buckets[buckets.len() - 1];
            assert_eq!(bound, f64::INFINITY, "{name}{{{labels}}} has no last bucket");
            assert_eq!(self.get(&format!("{name}_count"), labels), all, "{name}{{{labels}}}");
            assert!(self.get(&format!("{name}_sum"), labels) >= 0.0);
        }
    }
}

/// `name{labels} value`.
fn sample(line: &str) -> (String, String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("a closing brace")),
        None => (series, ""),
    };
    assert!(is_name(name), "{line}");
    let mut rest = labels;
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(label) && !label.contains(':'), "{line}");
        // The hub has no label value that would have to be escaped.
        let (value, after) = value.split_once('"').unwrap_or_else(|| panic!("{line}"));
        assert!(!value.contains('\\'), "{line}");
        rest = match after.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            Some(_) => panic!("a comma at the end: {line}"),
            None if after.is_empty() => "",
            None => panic!("{line}"),
        };
    }
    (name.to_owned(), labels.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn a_page_is_read() {
        let page = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\",y=\"{z}\"} 2\n\
                    # HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n";
        let metrics = Metrics::parse(page);
        assert_eq!(metrics.get("a_total", "x=\"1\",y=\"{z}\""), 2.0);
        assert_eq!(metrics.get("h_count", ""), 3.0);
        assert_eq!(metrics.find("h_count", "x=\"1\""), None);
    }

    #[test]
    fn a_page_that_breaks_a_rule_is_not() {
        for page in [
            "a 1\n",
            "# HELP a A.\n# TYPE a gauge\na 1",
            "# HELP a A.\n# TYPE a gauge\na{x=1} 1\n",
            "# HELP a A.\n# TYPE a gauge\na 1\na 1\n",
            "# HELP a A.\n# TYPE a counter\na 1\n",
            "# HELP a A.\n# TYPE a gauge\nb 1\n",
            "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 4\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n",
        ] {
            assert!(std::panic::catch_unwind(|| Metrics::parse(page)).is_err(), "{page}");
        }
    }
}
