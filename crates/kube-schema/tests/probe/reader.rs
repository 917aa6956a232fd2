//! The deserializer itself.

use super::Notes;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use std::any::type_name;
use std::cell::RefCell;
use std::fmt;

/// Answers one question for a value, and puts down as a word which it was.
#[derive(Clone, Copy)]
pub(crate) struct Probe<'a> {
    pub(crate) notes: &'a RefCell<Notes>,
    pub(crate) asked: &'a RefCell<String>,
    /// The type and the field that the value is for, when it is the field's own.
    pub(crate) field: Option<(&'a str, &'a str)>,
}

/// A value that a type did not take.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reason: String,
    /// What it would take instead.
    pub(crate) expected: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { reason: message.to_string(), expected: None }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        Self { reason: format!("it takes only {expected}"), expected: Some(expected) }
    }
}

impl<'a> Probe<'a> {
    fn is(self, word: impl Into<String>) {
        *self.asked.borrow_mut() = word.into();
    }

    /// A probe for what is inside of a list or a map.
    fn inner(self, asked: &'a RefCell<String>) -> Self {
        Self { asked, field: None, ..self }
    }

    /// A text of the kind that is asked for.
    fn text<V>(self) -> String {
        let asked_for = type_name::<V>();
        if asked_for.ends_with("::ByteString") {
            self.is("bytes");
            return String::new();
        }
        if asked_for.ends_with("::Timestamp") {
            self.is("time");
            return "2026-01-02T03:04:05Z".into();
        }
        let field = self.field.map(|(of, field)| (of.to_owned(), field.to_owned()));
        let mut notes = self.notes.borrow_mut();
        let constant = field.as_ref().and_then(|field| notes.constants.get(field)).cloned();
        self.is(constant.as_ref().map_or_else(|| "text".into(), |value| format!("={value}")));
        notes.last_text = field;
        constant.unwrap_or_else(|| "?".into())
    }
}

/// `core.v1.Container` of `k8s_openapi::v1_33::api::core::v1::container::Container`.
fn short(name: &str) -> String {
    let mut steps: Vec<&str> = name.split("::").collect();
    // each type stands in a file of its own
    steps.remove(steps.len() - 2);
    let after = |step: &str| steps.iter().position(|own| *own == step).map(|place| place + 1);
    let from = after("apis").or_else(|| after("pkg")).or_else(|| after("api"));
    steps[from.expect("a type of the API")..].join(".")
}

macro_rules! unasked {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
            let of = type_name::<V::Value>();
            panic!("{of}: no type of the API has been read by {} so far", stringify!($method))
        })*
    };
}

macro_rules! scalars {
    ($($method:ident $visit:ident $value:literal $word:literal,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.is($word);
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    scalars! {
        deserialize_bool visit_bool false "boolean",
        deserialize_i32 visit_i32 1 "integer32",
        deserialize_i64 visit_i64 1 "integer64",
        deserialize_f64 visit_f64 1.0 "number",
    }

    unasked! {
        deserialize_i8 deserialize_i16 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_char deserialize_bytes deserialize_byte_buf
        deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let asked_for = type_name::<V::Value>().rsplit("::").next().unwrap_or_default();
        match asked_for {
            "IntOrString" => {
                self.is("integer-or-text");
                visitor.visit_i64(1)
            }
            "Quantity" => {
                self.is("quantity");
                visitor.visit_str("1")
            }
            "Value" => {
                self.is("any");
                visitor.visit_unit()
            }
            other => panic!("{other}: a value of any type is not expected"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_str(&self.text::<V::Value>())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text::<V::Value>())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let item = RefCell::new(String::new());
        let value = visitor.visit_seq(Once { probe: Some(self.inner(&item)) })?;
        self.is(format!("[{}]", item.borrow()));
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let inner = RefCell::new(String::new());
        let entries = Fields {
            of: String::new(),
            names: ["key"].iter(),
            current: "key",
            probe: self.inner(&inner),
        };
        let value = visitor.visit_map(entries)?;
        self.is(format!("{{{}}}", inner.borrow()));
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let name = short(type_name::<V::Value>());
        self.notes.borrow_mut().types.entry(name.clone()).or_default();
        let field = RefCell::new(String::new());
        let probe = self.inner(&field);
        let value = visitor.visit_map(Fields {
            of: name.clone(),
            names: names.iter(),
            current: "",
            probe,
        })?;
        self.is(name);
        Ok(value)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, Refused> {
        panic!("{name}: a type without fields is not expected")
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        panic!("{}: a tuple is not expected", type_name::<V::Value>())
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Refused> {
        panic!("{name}: a tuple is not expected")
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refused> {
        panic!("{name}: an enumeration is not expected")
    }
}

/// A list of one.
struct Once<'a> {
    probe: Option<Probe<'a>>,
}

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        self.probe.take().map(|probe| seed.deserialize(probe)).transpose()
    }
}

/// A map with these keys.
struct Fields<'a> {
    /// The type whose fields they are; empty for a map with free keys.
    of: String,
    names: std::slice::Iter<'a, &'static str>,
    current: &'static str,
    probe: Probe<'a>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        let Some(name) = self.names.next() else { return Ok(None) };
        self.current = name;
        let key: StrDeserializer<'_, Refused> = self.current.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let field = (!self.of.is_empty()).then_some((self.of.as_str(), self.current));
        let value = seed.deserialize(Probe { field, ..self.probe })?;
        if let Some((of, field)) = field {
            let mut notes = self.probe.notes.borrow_mut();
            let fields = notes.types.entry(of.to_owned()).or_default();
            fields.insert(field.to_owned(), self.probe.asked.borrow().clone());
        }
        Ok(value)
    }
}
