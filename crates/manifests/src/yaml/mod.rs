//! YAML as `kubectl apply` reads it, with the line of every value.

mod build;
mod scalar;

pub(crate) use build::read;

use serde_json::Value;

/// A document of a YAML text.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where it stands in the text, from 1.
    pub(crate) number: usize,
    pub(crate) root: Node,
    /// Keys that stand twice in their map: the path as text, and the line of the second.
    pub(crate) duplicates: Vec<(String, usize)>,
}

/// A text that is not YAML from some line on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// A value and its line.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The key's line.
    pub(crate) line: usize,
    pub(crate) value: Node,
}

impl Node {
    /// The same without lines.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// A field of a map.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value at keys one below the other.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.entry(key).map(|entry| &entry.value))
    }

    /// A text at keys one below the other.
    pub(crate) fn text(&self, keys: &[&str]) -> Option<&str> {
        match &self.at(keys)?.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list at keys one below the other.
    pub(crate) fn items(&self, keys: &[&str]) -> &[Self] {
        match self.at(keys).map(|node| &node.content) {
            Some(Content::List(items)) => items,
            _ => &[],
        }
    }
}
