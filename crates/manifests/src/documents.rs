//! The objects of a YAML text, without their places.

use crate::ManifestError;
use crate::yaml;
use serde_json::Value;

/// The documents of a YAML text that are maps; those of a `List` one by one.
///
/// # Errors
/// When it is no YAML, or a key stands twice.
pub fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    let documents = yaml::read(text)
        .map_err(|error| ManifestError::Syntax { line: error.line, reason: error.reason })?;
    let mut objects = Vec::new();
    for document in documents {
        if let Some((key, line)) = document.duplicates.into_iter().next() {
            let reason = format!("the key {key} stands twice in its map");
            return Err(ManifestError::Syntax { line, reason });
        }
        let is_list = document.root.text(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
        let items = document.root.items(&["items"]);
        if is_list && !items.is_empty() {
            objects.extend(items.iter().map(yaml::Node::to_json));
        } else {
            objects.push(document.root.to_json());
        }
    }
    objects.retain(Value::is_object);
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_its_items() {
        let kinds = |text: &str| -> Vec<Value> {
            documents(text).unwrap().iter().map(|object| object["kind"].clone()).collect()
        };
        assert_eq!(kinds("kind: A\n---\nkind: B\n---\n- 1\n"), ["A", "B"]);
        assert_eq!(kinds("kind: ConfigMapList\nitems: [{kind: A}, {kind: B}]\n"), ["A", "B"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let twice = documents("a:\n  b: 1\n  b: 2\n").unwrap_err().to_string();
        assert_eq!(twice, "line 3: the key a.b stands twice in its map");
        let broken = documents("a: b\n\tc: d\n").unwrap_err();
        assert!(matches!(broken, ManifestError::Syntax { line: 1..=2, .. }), "{broken}");
    }
}
