//! The table of kinds and types, read from its text.
//!
//! A line `kind API_VERSION KIND TYPE` names the type of a kind. A line `type TYPE` begins a type,
//! and each indented line below it is a field with its type: a word for a scalar, `[TYPE]` for a
//! list, `{TYPE}` for a map with free keys, `=TEXT` for a constant, or the name of another type.

use std::collections::HashMap;
use std::sync::LazyLock;

const KINDS: &str = include_str!("kinds.txt");
const OPERATORS: &str = include_str!("operators.txt");

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    /// A text that can only be this.
    Constant(&'static str),
    Boolean,
    Integer32,
    Integer64,
    Number,
    /// A text or a number, such as `500m` or 2.
    Quantity,
    IntegerOrText,
    /// A text in base64.
    Bytes,
    /// A text as RFC 3339 has it.
    Time,
    /// Anything at all.
    Any,
    List(Box<Type>),
    Map(Box<Type>),
    /// A type with fields, by its name.
    Fields(&'static str),
}

/// The fields of a type by name.
pub(crate) type Fields = HashMap<&'static str, Type>;

/// All kinds and types.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Kinds of Kubernetes itself: `apiVersion` and `kind`.
    known: Vec<(&'static str, &'static str)>,
    kinds: HashMap<(&'static str, &'static str), &'static str>,
    types: HashMap<&'static str, Fields>,
}

/// A line of the table that is not understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine(&'static str);

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::default();
    table
        .add(KINDS)
        .and_then(|()| {
            table.known = table.in_order(KINDS);
            table.add(OPERATORS)
        })
        .expect("both texts are part of the program, and a test reads them");
    table
});

/// Every kind of Kubernetes itself that [`strict`](crate::strict) knows: `apiVersion` and `kind`.
#[must_use]
pub fn known_kinds() -> &'static [(&'static str, &'static str)] {
    &TABLE.known
}

/// The table that is part of this crate.
pub(crate) fn table() -> &'static Table {
    &TABLE
}

impl Table {
    fn add(&mut self, text: &'static str) -> Result<(), BadLine> {
        let mut current = None;
        for line in text.lines() {
            let words: Vec<&'static str> = line.split_whitespace().collect();
            match (line.starts_with(' '), words.as_slice()) {
                (_, []) => {}
                (false, [comment, ..]) if comment.starts_with('#') => {}
                (false, ["kind", api_version, kind, name]) => {
                    self.kinds.insert((*api_version, *kind), *name);
                }
                (false, ["type", name]) => {
                    self.types.entry(*name).or_default();
                    current = Some(*name);
                }
                (true, [field, of]) => {
                    let fields = current.and_then(|name| self.types.get_mut(name));
                    let fields = fields.ok_or(BadLine(line))?;
                    fields.insert(*field, Type::read(of).ok_or(BadLine(line))?);
                }
                _ => return Err(BadLine(line)),
            }
        }
        Ok(())
    }

    /// The kinds of a text in its own order.
    fn in_order(&self, text: &'static str) -> Vec<(&'static str, &'static str)> {
        let kinds = text.lines().filter_map(|line| line.strip_prefix("kind "));
        let pair = |line: &'static str| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        };
        kinds.filter_map(pair).filter(|kind| self.kinds.contains_key(kind)).collect()
    }

    /// The name of a kind's type.
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<&'static str> {
        self.kinds.get(&(api_version, kind)).copied()
    }

    /// The fields of a type.
    pub(crate) fn fields(&self, name: &str) -> Option<&Fields> {
        self.types.get(name)
    }
}

impl Type {
    /// Reads a type; `None` when it is none.
    fn read(text: &'static str) -> Option<Self> {
        let within = |open, close| text.strip_prefix(open)?.strip_suffix(close);
        if let Some(constant) = text.strip_prefix('=') {
            return Some(Self::Constant(constant));
        }
        if let Some(item) = within('[', ']') {
            return Self::read(item).map(|item| Self::List(Box::new(item)));
        }
        if let Some(value) = within('{', '}') {
            return Self::read(value).map(|value| Self::Map(Box::new(value)));
        }
        Some(match text {
            "text" => Self::Text,
            "boolean" => Self::Boolean,
            "integer32" => Self::Integer32,
            "integer64" => Self::Integer64,
            "number" => Self::Number,
            "quantity" => Self::Quantity,
            "integer-or-text" => Self::IntegerOrText,
            "bytes" => Self::Bytes,
            "time" => Self::Time,
            "any" => Self::Any,
            // the name of a type has a group and a version in it
            name if name.contains('.') => Self::Fields(name),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types that a type leads to.
    fn named(of: &Type) -> Option<&'static str> {
        match of {
            Type::Fields(name) => Some(name),
            Type::List(inner) | Type::Map(inner) => named(inner),
            Type::Text
            | Type::Constant(_)
            | Type::Boolean
            | Type::Integer32
            | Type::Integer64
            | Type::Number
            | Type::Quantity
            | Type::IntegerOrText
            | Type::Bytes
            | Type::Time
            | Type::Any => None,
        }
    }

    #[test]
    fn every_type_that_is_named_has_its_fields() {
        let table = table();
        assert!(table.known.len() >= 30 && table.types.len() > 200, "{}", table.types.len());
        for name in table.kinds.values() {
            assert!(table.types.contains_key(name), "{name}");
        }
        let fields = table.types.values().flat_map(HashMap::values);
        for name in fields.filter_map(named) {
            assert!(table.types.contains_key(name), "{name}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for text in ["type a.b\n  field\n", "type a.b\n  field txt\n", "  field text\n", "kid a\n"]
        {
            assert!(Table::default().add(text).is_err(), "{text}");
        }
    }
}
