//! What manifests say of autoscalers and of the pods that they scale, without a cluster.

mod autoscaler;
mod keda;
mod quantity;
#[cfg(test)]
mod tests;
mod workload;

pub use autoscaler::{Scaler, ScalerKind, scaler};
pub use quantity::{cores, number};
pub use workload::{Container, Workload, config_map, workload};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A manifest that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no YAML.
    #[error("{0}")]
    Syntax(String),
    /// An object says something that it may not.
    #[error("{object}: {problem}")]
    Object {
        /// Its kind and name.
        object: String,
        /// Which field, and what is wrong with it.
        problem: String,
    },
}

impl ManifestError {
    fn of(object: &Value, problem: impl Into<String>) -> Self {
        Self::Object { object: title(object), problem: problem.into() }
    }
}

/// The documents of a YAML text that are objects; those of a `List` one by one.
///
/// # Errors
/// When it is no YAML, or keys stand twice.
pub fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| ManifestError::Syntax(error.to_string()))?;
    let mut objects = Vec::new();
    for document in documents {
        match (
            document.get("kind").and_then(Value::as_str),
            document.get("items").and_then(Value::as_array),
        ) {
            (Some(kind), Some(items)) if kind.ends_with("List") => {
                objects.extend(items.iter().cloned())
            }
            _ if document.is_object() => objects.push(document),
            _ => {}
        }
    }
    Ok(objects)
}

/// Kind and name, e.g. `Deployment edge-inference`.
fn title(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    format!("{} {}", text("/kind"), text("/metadata/name"))
}

fn is(object: &Value, api: &str, kind: &str) -> bool {
    let group = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    object.get("kind").and_then(Value::as_str) == Some(kind)
        && (group == api || group.split('/').next() == Some(api))
}

/// Decodes an object and refuses what its type does not know.
fn strictly<T: DeserializeOwned>(object: &Value) -> Result<T, ManifestError> {
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string());
    let noting = serde_ignored::Deserializer::new(object, &mut note);
    let decoded =
        erased_serde::deserialize(&mut <dyn erased_serde::Deserializer<'_>>::erase(noting));
    let decoded = decoded.map_err(|error| ManifestError::of(object, error.to_string()))?;
    // an Option in the type is a step of its own in such a path
    let unknown: Vec<String> = unknown.iter().map(|path| path.replace(".?", "")).collect();
    if unknown.is_empty() {
        Ok(decoded)
    } else {
        Err(ManifestError::of(object, format!("{} is not known", unknown.join(", "))))
    }
}
