//! Asks a type for its fields: a deserializer that gives each field a value of the type that it
//! asks for, and writes down what was asked for.

mod reader;

use reader::{Probe, Refused};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Every type that was met, with its fields and theirs.
#[derive(Default)]
pub(crate) struct Probed {
    notes: RefCell<Notes>,
}

/// What is written down on the way.
#[derive(Default)]
pub(crate) struct Notes {
    types: BTreeMap<String, BTreeMap<String, String>>,
    /// Fields that can have one value only: type, field and value.
    constants: BTreeMap<(String, String), String>,
    /// The field that was given a text last.
    last_text: Option<(String, String)>,
}

impl Probed {
    /// Asks a type; gives its name.
    pub(crate) fn probe<T: DeserializeOwned>(&mut self) -> String {
        loop {
            let asked = RefCell::new(String::new());
            let probe = Probe { notes: &self.notes, asked: &asked, field: None };
            match T::deserialize(probe) {
                Ok(_) => return asked.into_inner(),
                // a type refuses all but its own `apiVersion` and `kind`: now they are known
                Err(Refused { expected: Some(value), .. }) => {
                    let notes = self.notes.get_mut();
                    let field = notes.last_text.take().expect("only a text can be a constant");
                    let before = notes.constants.insert(field.clone(), value);
                    assert_eq!(before, None, "{field:?} has two values");
                }
                Err(other) => panic!("{}: {}", std::any::type_name::<T>(), other.reason),
            }
        }
    }

    /// The types as the table has them.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, fields) in &self.notes.borrow().types {
            text += &format!("type {name}\n");
            for (field, of) in fields {
                text += &format!("  {field} {of}\n");
            }
        }
        text
    }
}
