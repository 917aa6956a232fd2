//! Objects as Kubernetes knows them: every field that it does not know, and every value of a wrong
//! type.
//!
//! A cluster drops unknown fields in silence unless it is asked not to, so that a typing error
//! turns a setting off without a word.

mod kinds;
mod walk;

pub use kinds::{KNOWN_KINDS, strict};
pub use walk::Step;

use serde::de::DeserializeOwned;
use serde_json::Value;
use walk::{remove, steps_of_ignored, steps_of_tracked, value_at};

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its kind of object has no such field there.
    UnknownField,
    /// It has such a field, but not with such a value; in words.
    WrongType(String),
}

/// A field with what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// Where it is, from the object's root.
    pub path: Vec<Step>,
    /// What is wrong.
    pub fault: Fault,
}

/// More than this in one object is no use to anyone.
const MOST_FAULTS: usize = 50;

/// Reads a value as a kind of object, and throws it away. The reader's type is erased: the paths
/// are kept by code that is built once, not once for each kind and each type of its fields.
type ReadAs = fn(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error>;

/// Reads a value as a `T`.
fn read_as<T: DeserializeOwned>(
    reader: &mut dyn erased_serde::Deserializer<'_>,
) -> Result<(), erased_serde::Error> {
    erased_serde::deserialize::<T>(reader).map(drop)
}

/// Every fault of `value` as a kind: a value of a wrong type is noted and taken out, and then the
/// rest is read again.
fn faults(value: &Value, read_as: ReadAs) -> Vec<FieldFault> {
    let mut value = value.clone();
    let mut found = Vec::new();
    while found.len() < MOST_FAULTS {
        let mut unknown = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(value.clone(), &mut track);
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(steps_of_ignored(&path));
        let noting = serde_ignored::Deserializer::new(tracked, &mut note);
        let read = read_as(&mut <dyn erased_serde::Deserializer<'_>>::erase(noting));
        let Err(error) = read else {
            found.extend(
                unknown.into_iter().map(|path| FieldFault { path, fault: Fault::UnknownField }),
            );
            break;
        };
        let path = steps_of_tracked(&track.path());
        // a quantity may be a number, which the API server takes and the typed decode does not
        if let Some(number) =
            value_at(&mut value, &path).filter(|value| value.is_number() && holds_quantities(&path))
        {
            *number = Value::String(number.to_string());
            continue;
        }
        found.push(FieldFault { path: path.clone(), fault: Fault::WrongType(error.to_string()) });
        if path.is_empty() || !remove(&mut value, &path) {
            break;
        }
    }
    found
}

/// Whether a field is one of those that Kubernetes reads as a quantity.
fn holds_quantities(path: &[Step]) -> bool {
    const MAPS: [&str; 5] = ["requests", "limits", "capacity", "hard", "overhead"];
    const FIELDS: [&str; 4] = ["sizeLimit", "averageValue", "value", "divisor"];
    let key = |step: Option<&Step>| match step {
        Some(Step::Key(key)) => key.clone(),
        _ => String::new(),
    };
    let mut backwards = path.iter().rev();
    let (last, before) = (key(backwards.next()), key(backwards.next()));
    // `value` is a quantity in an autoscaler's target only: that of a variable is a text
    match last.as_str() {
        "value" => before == "target",
        other => MAPS.contains(&before.as_str()) || FIELDS.contains(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(value: &Value) -> Vec<(String, bool)> {
        let api_version = value["apiVersion"].as_str().unwrap();
        let faults = strict(api_version, value["kind"].as_str().unwrap(), value).unwrap();
        let text = |path: &[Step]| {
            let parts = path.iter().map(|step| match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            });
            parts.collect::<Vec<_>>().join(".")
        };
        faults.iter().map(|fault| (text(&fault.path), fault.fault == Fault::UnknownField)).collect()
    }

    fn deployment(container: Value) -> Value {
        let mut container = container;
        container["name"] = json!("a");
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [container]}}}})
    }

    #[test]
    fn a_sound_object_has_no_faults() {
        let container = json!({"image": "a:1", "ports": [{"containerPort": 80}], "resources": {"requests": {"cpu": 1, "memory": "1Gi"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}}});
        assert_eq!(found(&deployment(container)), []);
    }

    #[test]
    fn every_fault_is_found_with_its_path() {
        let container = json!({"imagePolicy": "x", "env": [{"name": "A", "value": 5}], "ports": [{"containerPort": "80"}],
            "resources": {"requests": {"cpu": true}}});
        let place = "spec.template.spec.containers.0.";
        let expected = [
            ("env.0.value", false),
            ("ports.0.containerPort", false),
            ("resources.requests.cpu", false),
            ("imagePolicy", true),
        ];
        assert_eq!(
            found(&deployment(container)),
            expected.map(|(path, unknown)| (format!("{place}{path}"), unknown))
        );
    }

    #[test]
    fn a_kind_of_another_version_is_not_known() {
        assert!(strict("apps/v1beta1", "Deployment", &json!({})).is_none());
        assert!(KNOWN_KINDS.contains(&("apps/v1", "Deployment")));
    }
}
