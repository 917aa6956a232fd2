//! An object of Kubernetes, and a way to walk through its fields that remembers where it is.

use crate::finding::{Finding, Severity};
use crate::path::Path;
use serde_json::Value;

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Empty when the object does not say.
    pub(crate) namespace: String,
    pub(crate) value: Value,
    /// The document among the sources that it was read from directly.
    pub(crate) source: Option<usize>,
}

impl Object {
    pub(crate) fn of(value: Value, source: Option<usize>) -> Self {
        let text = |pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let name = Some(text("/metadata/name"))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| text("/metadata/generateName"));
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            name,
            namespace: text("/metadata/namespace"),
            value,
            source,
        }
    }

    /// `Kind/name`.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// The group of its `apiVersion`; empty for the core group.
    pub(crate) fn group(&self) -> &str {
        self.api_version.rsplit_once('/').map_or("", |(group, _)| group)
    }

    pub(crate) fn root(&self) -> Field<'_> {
        Field { object: self, path: Path::default(), value: Some(&self.value) }
    }

    /// The field at a dotted path, there or not.
    pub(crate) fn at(&self, path: &str) -> Field<'_> {
        self.root().at(path)
    }
}

/// A place in an object, whether there is something or not.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) object: &'a Object,
    pub(crate) path: Path,
    pub(crate) value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    /// The field of this name below.
    pub(crate) fn get(&self, key: &str) -> Self {
        Self {
            object: self.object,
            path: self.path.key(key),
            value: self.value.and_then(|value| value.get(key)),
        }
    }

    /// The field at a dotted path below.
    pub(crate) fn at(&self, path: &str) -> Self {
        path.split('.').fold(self.clone(), |field, key| field.get(key))
    }

    /// The elements of a list; none when it is not one.
    pub(crate) fn items(&self) -> Vec<Self> {
        let items = self.value.and_then(Value::as_array).into_iter().flatten().enumerate();
        items
            .map(|(index, value)| Self {
                object: self.object,
                path: self.path.index(index),
                value: Some(value),
            })
            .collect()
    }

    /// The fields of a map; none when it is not one.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let entries = self.value.and_then(Value::as_object).into_iter().flatten();
        let field = |key: &str, value| Self {
            object: self.object,
            path: self.path.key(key),
            value: Some(value),
        };
        entries.map(|(key, value)| (key.as_str(), field(key, value))).collect()
    }

    /// Every field at a pattern below: `*` is each field of a map, and `[]` behind a name each
    /// element of a list. A place where something stands, and a last step that is missing, are
    /// among them.
    pub(crate) fn each(&self, pattern: &str) -> Vec<Self> {
        pattern.split('.').fold(vec![self.clone()], |fields, step| {
            let next = |field: &Self| match step.strip_suffix("[]") {
                Some(key) => field.get(key).items(),
                None if step == "*" => {
                    field.entries().into_iter().map(|(_, field)| field).collect()
                }
                None => vec![field.get(step)],
            };
            fields.iter().filter(|field| field.exists()).flat_map(next).collect()
        })
    }

    /// Whether something stands here; null is nothing.
    pub(crate) fn exists(&self) -> bool {
        self.value.is_some_and(|value| !value.is_null())
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        self.value.and_then(Value::as_i64)
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        self.value.and_then(Value::as_bool)
    }

    /// A scalar as text: numbers too.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self.value? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    pub(crate) fn error(&self, rule: &'static str, message: impl Into<String>) -> Finding {
        Finding::at(self, Severity::Error, rule, message)
    }

    pub(crate) fn warning(&self, rule: &'static str, message: impl Into<String>) -> Finding {
        Finding::at(self, Severity::Warning, rule, message)
    }

    pub(crate) fn note(&self, rule: &'static str, message: impl Into<String>) -> Finding {
        Finding::at(self, Severity::Note, rule, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_finds_every_place() {
        let object = Object::of(
            json!({"kind": "A", "spec": {"list": [{"x": 1}, {"y": {"p": 1, "q": 2}}]}}),
            None,
        );
        let places = |pattern: &str| -> Vec<String> {
            object.root().each(pattern).iter().map(|field| field.path.to_string()).collect()
        };
        assert_eq!(places("spec.list[].x"), ["spec.list[0].x", "spec.list[1].x"]);
        assert_eq!(places("spec.list[].y.*"), ["spec.list[1].y.p", "spec.list[1].y.q"]);
        assert!(places("spec.none[].x").is_empty());
    }
}
