//! The strict check of an object.

use crate::Step;
use crate::mismatch::mismatch;
use crate::table::{Type, table};
use serde_json::Value;

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
const MAX_FAULTS: usize = 50;

/// Compares an object with its kind and gives every field that is not right, wrong types first;
/// `None` when the kind is none of Kubernetes itself that is known here.
#[must_use]
pub fn strict(api_version: &str, kind: &str, value: &Value) -> Option<Vec<FieldFault>> {
    let known = crate::known_kinds().contains(&(api_version, kind));
    known.then(|| strict_operator(api_version, kind, value))?
}

/// The same for every kind that is known here, those of operators among them, whose types are
/// written by hand and may be older than the operator.
#[must_use]
pub fn strict_operator(api_version: &str, kind: &str, value: &Value) -> Option<Vec<FieldFault>> {
    let name = table().kind(api_version, kind)?;
    let mut walk = Walk::default();
    walk.value(value, &Type::Fields(name));
    walk.wrong.append(&mut walk.unknown);
    walk.wrong.truncate(MAX_FAULTS);
    Some(walk.wrong)
}

/// The way through an object, and what was found on it.
#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    wrong: Vec<FieldFault>,
    unknown: Vec<FieldFault>,
}

impl Walk {
    fn value(&mut self, value: &Value, of: &Type) {
        if let Some(problem) = mismatch(value, of) {
            let fault = Fault::WrongType(problem);
            self.wrong.push(FieldFault { path: self.path.clone(), fault });
            return;
        }
        match (value, of) {
            (Value::Array(items), Type::List(item)) => {
                for (index, value) in items.iter().enumerate() {
                    self.below(Step::Index(index), value, item);
                }
            }
            (Value::Object(entries), Type::Map(inner)) => {
                for (key, value) in entries {
                    self.below(Step::Key(key.clone()), value, inner);
                }
            }
            (Value::Object(entries), Type::Fields(name)) => {
                for (key, value) in entries {
                    self.field(key, value, name);
                }
            }
            // a scalar that fits has nothing below it
            _ => {}
        }
    }

    fn field(&mut self, key: &str, value: &Value, of: &str) {
        let step = Step::Key(key.to_owned());
        match table().fields(of).and_then(|fields| fields.get(key)) {
            // a field that is null is one that is not there
            Some(_) if value.is_null() => {}
            Some(of) => self.below(step, value, of),
            None => {
                let mut path = self.path.clone();
                path.push(step);
                self.unknown.push(FieldFault { path, fault: Fault::UnknownField });
            }
        }
    }

    fn below(&mut self, step: Step, value: &Value, of: &Type) {
        self.path.push(step);
        self.value(value, of);
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(value: &Value) -> Vec<(String, bool)> {
        let api_version = value["apiVersion"].as_str().unwrap();
        let faults = strict_operator(api_version, value["kind"].as_str().unwrap(), value).unwrap();
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
        let pod = json!({"containers": [container]});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": pod}}})
    }

    #[test]
    fn a_sound_object_has_no_faults() {
        let container = json!({"image": "a:1", "ports": [{"containerPort": 80}],
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}}, "command": null,
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}}});
        assert_eq!(found(&deployment(container)), []);
        let keda = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {"name": "a"}, "spec": {"triggers": [{"type": "cpu"}]}});
        assert_eq!(found(&keda), []);
    }

    #[test]
    fn every_fault_is_found_with_its_path() {
        let container = json!({"imagePolicy": "x", "env": [{"name": "A", "value": 5}],
            "ports": [{"containerPort": "80"}, null, {"containerPort": 5_000_000_000_u64}],
            "resources": {"requests": {"cpu": true}}});
        let place = "spec.template.spec.containers.0.";
        let expected = [
            ("env.0.value", false),
            ("ports.0.containerPort", false),
            ("ports.1", false),
            ("ports.2.containerPort", false),
            ("resources.requests.cpu", false),
            ("imagePolicy", true),
        ];
        assert_eq!(
            found(&deployment(container)),
            expected.map(|(path, unknown)| (format!("{place}{path}"), unknown))
        );
    }

    #[test]
    fn a_quantity_may_be_a_number_and_a_variable_may_not() {
        let metric = |target: Value| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "a"}, "spec": {"maxReplicas": 2, "metrics": [
                    {"type": "External", "external": {"target": target}}]}})
        };
        assert_eq!(found(&metric(json!({"type": "Value", "value": 5}))), []);
        let wrong = found(&metric(json!({"type": "Value", "value": [5]})));
        assert_eq!(wrong, [("spec.metrics.0.external.target.value".to_owned(), false)]);
    }

    #[test]
    fn secrets_are_base64_and_times_are_times() {
        let secret = |data: &str, created: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": data},
                "metadata": {"name": "a", "creationTimestamp": created}})
        };
        assert_eq!(found(&secret("YQ==", "2026-01-02T03:04:05Z")), []);
        let expected = [("data.a", false), ("metadata.creationTimestamp", false)];
        assert_eq!(
            found(&secret("a secret", "today")),
            expected.map(|(path, unknown)| (path.to_owned(), unknown))
        );
    }

    #[test]
    fn a_kind_of_another_version_is_not_known() {
        assert!(strict("apps/v1beta1", "Deployment", &json!({})).is_none());
        assert!(crate::known_kinds().contains(&("apps/v1", "Deployment")));
        assert!(strict("keda.sh/v1alpha1", "ScaledObject", &json!({})).is_none());
    }

    #[test]
    fn no_more_faults_are_given_than_anybody_reads() {
        let fields: serde_json::Map<String, Value> =
            (0..200).map(|number| (format!("field{number}"), json!(1))).collect();
        let mut object = Value::Object(fields);
        object["apiVersion"] = json!("v1");
        object["kind"] = json!("ConfigMap");
        assert_eq!(found(&object).len(), MAX_FAULTS);
    }
}
