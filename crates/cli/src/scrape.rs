//! A unit's `/metrics`, read back.

use std::collections::BTreeMap;

/// The samples of a text in the OpenMetrics or Prometheus format.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Scrape {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    /// Reads a text; lines that are no samples are passed over.
    pub fn read(text: &str) -> Self {
        Self {
            samples: text
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(sample)
                .collect(),
        }
    }

    /// Whether there is anything in it.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The sum of all samples of this name whose labels include `labels`; `None` when there are
    /// none. What is not a number is not counted.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values =
            self.samples.iter().filter(|sample| sample.is(name, labels) && !sample.value.is_nan());
        values.map(|sample| sample.value).reduce(|a, b| a + b)
    }

    /// The values of a label among the samples of this name that are above 0, in order.
    pub fn values_of(&self, name: &str, labels: &[(&str, &str)], label: &str) -> Vec<&str> {
        let samples =
            self.samples.iter().filter(|sample| sample.is(name, labels) && sample.value > 0.0);
        samples.filter_map(|sample| sample.labels.get(label)).map(String::as_str).collect()
    }

    /// The mean of a histogram's observations; `None` when there are none.
    pub fn mean(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let count = self.sum(&format!("{name}_count"), labels).filter(|count| *count > 0.0)?;
        Some(self.sum(&format!("{name}_sum"), labels)? / count)
    }
}

impl Sample {
    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.name == name
            && labels
                .iter()
                .all(|(label, value)| self.labels.get(*label).map(String::as_str) == Some(*value))
    }
}

/// `name{label="value",…} number`, with a timestamp or exemplar behind it or not.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        rest = &after[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP mlvi_inference_stage_seconds time.\n# TYPE \
        mlvi_inference_stage_seconds histogram\n\
        mlvi_inference_stage_seconds_sum{stage=\"inference\"} \
        12.5\nmlvi_inference_stage_seconds_count{stage=\"inference\"} 100\n\
        mlvi_decisions_total{destination=\"edge\",reason=\"a \\\"b\\\" {c}, d=\\\\\"} 3\n\
        mlvi_decisions_total{destination=\"edge\",reason=\"x\"} 4 1700000000\n\
        mlvi_decisions_total{destination=\"cloud\",reason=\"x\"} 5\n\
        mlvi_plain 1.5e3\nmlvi_unknown{tier=\"cloud\"} NaN\nnonsense\n# EOF\n";

    #[test]
    fn samples_are_read_with_their_labels() {
        let scrape = Scrape::read(TEXT);
        assert_eq!(scrape.sum("mlvi_decisions_total", &[("destination", "edge")]), Some(7.0));
        assert_eq!(
            scrape.sum("mlvi_decisions_total", &[("reason", "a \"b\" {c}, d=\\")]),
            Some(3.0)
        );
        assert_eq!(scrape.sum("mlvi_decisions_total", &[]), Some(12.0));
        let reasons =
            scrape.values_of("mlvi_decisions_total", &[("destination", "cloud")], "reason");
        assert_eq!(reasons, ["x"]);
        assert_eq!(scrape.sum("mlvi_plain", &[]), Some(1500.0));
        assert_eq!(
            scrape.sum("mlvi_unknown", &[]),
            None,
            "NaN is how a gauge says that it does not know"
        );
        assert_eq!(scrape.sum("mlvi_nothing", &[]), None);
        assert_eq!(
            scrape.mean("mlvi_inference_stage_seconds", &[("stage", "inference")]),
            Some(0.125)
        );
        assert!(Scrape::read("<html>no metrics</html>").is_empty());
    }
}
