//! Labels, and selectors that fit them or not.

use crate::object::Field;
use std::collections::BTreeMap;

/// Labels of a pod or another object.
pub(crate) type Labels = BTreeMap<String, String>;

/// The labels that stand in a map.
pub(crate) fn of(field: &Field<'_>) -> Labels {
    field
        .entries()
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.scalar()?)))
        .collect()
}

/// A selector, read once to be held against many labels.
#[derive(Debug)]
pub(crate) struct Selector<'a> {
    /// The labels that must be there with these values.
    pub(crate) equal: Labels,
    expressions: Vec<Field<'a>>,
}

impl<'a> Selector<'a> {
    /// One with `matchLabels` and `matchExpressions`, or a plain map as that of a Service.
    pub(crate) fn of(field: &Field<'a>) -> Self {
        let (equal, expressions) = (field.get("matchLabels"), field.get("matchExpressions"));
        let plain = if equal.exists() || expressions.exists() { equal } else { field.clone() };
        Self { equal: of(&plain), expressions: expressions.items() }
    }

    /// Whether it fits; an empty one fits all.
    pub(crate) fn fits(&self, labels: &Labels) -> bool {
        self.equal.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.expressions.iter().all(|expression| holds(expression, labels))
    }
}

/// Whether a selector fits, where it is asked once.
pub(crate) fn fit(selector: &Field<'_>, labels: &Labels) -> bool {
    Selector::of(selector).fits(labels)
}

fn holds(expression: &Field<'_>, labels: &Labels) -> bool {
    let value = labels.get(expression.get("key").text().unwrap_or_default());
    let among = || {
        let values = expression.get("values").items();
        value.is_some_and(|value| values.iter().any(|allowed| allowed.text() == Some(value)))
    };
    match expression.get("operator").text() {
        Some("In") => among(),
        Some("NotIn") => !among(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        // an operator that does not exist is found by another rule
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Object;
    use serde_json::json;

    #[test]
    fn selectors_fit_as_kubernetes_says() {
        let labels = Labels::from([
            ("app".to_owned(), "a".to_owned()),
            ("tier".to_owned(), "edge".to_owned()),
        ]);
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let cases = [
            (json!({}), true),
            (json!({"app": "a"}), true),
            (json!({"app": "b"}), false),
            (json!({"matchLabels": {"app": "a", "tier": "cloud"}}), false),
            (expression("tier", "In", &["edge", "cloud"]), true),
            (expression("tier", "NotIn", &["edge"]), false),
            (expression("none", "Exists", &[]), false),
            (expression("none", "DoesNotExist", &[]), true),
        ];
        for (selector, expected) in cases {
            let object = Object::of(json!({"selector": selector}), None);
            assert_eq!(fit(&object.at("selector"), &labels), expected, "{selector}");
        }
    }
}
