//! What experiments measure as a tidy table: a row for each run, a column for each measure.

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use text::csv_field;

/// Rows of a CSV, which pandas reads at once. Columns stand in the order in which they come up;
/// a row without a value has an empty field there.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    columns: Vec<String>,
    rows: Vec<BTreeMap<usize, String>>,
}

impl Rows {
    /// One row more: what it is about, and every number in what was measured. Nested ones are named
    /// by their path with underscores, such as `latency_ms_p99`; lists and texts are left out.
    ///
    /// # Errors
    /// When a value has no form in JSON.
    pub fn add(
        &mut self,
        about: &[(&str, Value)],
        measured: &impl Serialize,
    ) -> anyhow::Result<()> {
        let mut row = BTreeMap::new();
        for (name, value) in about {
            let column = self.column(name);
            match value {
                Value::Null => None,
                Value::String(text) => row.insert(column, text.clone()),
                other => row.insert(column, other.to_string()),
            };
        }
        self.numbers("", &serde_json::to_value(measured)?, &mut row);
        self.rows.push(row);
        Ok(())
    }

    fn numbers(&mut self, path: &str, value: &Value, row: &mut BTreeMap<usize, String>) {
        match value {
            Value::Number(number) => {
                row.insert(self.column(path), number.to_string());
            }
            Value::Bool(flag) => {
                row.insert(self.column(path), flag.to_string());
            }
            Value::Object(parts) => {
                for (name, part) in parts {
                    let path =
                        if path.is_empty() { name.clone() } else { format!("{path}_{name}") };
                    self.numbers(&path, part, row);
                }
            }
            Value::Null | Value::String(_) | Value::Array(_) => {}
        }
    }

    fn column(&mut self, name: &str) -> usize {
        self.columns.iter().position(|known| known == name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        })
    }

    /// As CSV (RFC 4180).
    #[must_use]
    pub fn text(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|name| csv_field(name)).collect();
        let mut text = names.join(",") + "\n";
        for row in &self.rows {
            let field = |column| row.get(&column).map_or_else(Default::default, |of| csv_field(of));
            let fields: Vec<_> = (0..self.columns.len()).map(field).collect();
            text += &(fields.join(",") + "\n");
        }
        text
    }

    /// Into a file, which is replaced if it is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, self.text())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_has_what_it_is_about_and_every_number() {
        let mut rows = Rows::default();
        let measured = json!({"misses": 3, "latency_ms": {"p50": 1.5, "p99": null}, "log": [1]});
        rows.add(&[("policy", json!("ratio, 0.1")), ("seed", json!(1))], &measured).unwrap();
        rows.add(&[("policy", json!("edge-only"))], &json!({"money": 0.5, "misses": 4})).unwrap();
        let wanted = "policy,seed,latency_ms_p50,misses,money\n\
                      \"ratio, 0.1\",1,1.5,3,\n\
                      edge-only,,,4,0.5\n";
        assert_eq!(rows.text(), wanted);
    }
}
