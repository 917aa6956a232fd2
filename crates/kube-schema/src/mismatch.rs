//! Whether one value is of a type.

use crate::table::Type;
use crate::text::{is_base64, is_time};
use serde_json::Value;

/// What is wrong with a value as one of this type, in words; `None` when it fits. What is below it
/// is not compared.
pub(crate) fn mismatch(value: &Value, of: &Type) -> Option<String> {
    let number = value.as_number();
    let fits = match of {
        Type::Text => value.is_string(),
        Type::Constant(constant) => value.as_str() == Some(constant),
        Type::Boolean => value.is_boolean(),
        Type::Integer32 => is_integer32(value),
        Type::Integer64 => value.is_i64(),
        Type::Number => number.is_some(),
        Type::Quantity => value.is_string() || number.is_some(),
        Type::IntegerOrText => value.is_string() || is_integer32(value),
        Type::Bytes => value.is_null() || value.as_str().is_some_and(is_base64),
        Type::Time => value.as_str().is_some_and(is_time),
        Type::Any => true,
        Type::List(_) => value.is_array(),
        Type::Map(_) | Type::Fields(_) => value.is_object(),
    };
    if fits {
        return None;
    }
    // of the right type, and still not right
    let wrong = match of {
        Type::Constant(_) | Type::Bytes | Type::Time if value.is_string() => "value",
        Type::Integer32 | Type::Integer64 | Type::IntegerOrText
            if number.is_some_and(|number| number.is_i64() || number.is_u64()) =>
        {
            "value"
        }
        _ => "type",
    };
    Some(format!("invalid {wrong}: {}, expected {}", shown(value), expected(of)))
}

fn is_integer32(value: &Value) -> bool {
    value.as_i64().is_some_and(|integer| i32::try_from(integer).is_ok())
}

/// A value in an error message.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => format!("boolean `{flag}`"),
        Value::Number(number) if number.is_f64() => format!("floating point `{number}`"),
        Value::Number(number) => format!("integer `{number}`"),
        Value::String(text) => format!("string {text:?}"),
        Value::Array(_) => "sequence".into(),
        Value::Object(_) => "map".into(),
    }
}

/// A type in an error message.
fn expected(of: &Type) -> String {
    match of {
        Type::Text => "a string".into(),
        Type::Constant(constant) => (*constant).into(),
        Type::Boolean => "a boolean".into(),
        Type::Integer32 => "a 32-bit integer".into(),
        Type::Integer64 => "a 64-bit integer".into(),
        Type::Number => "a number".into(),
        Type::Quantity => "a quantity such as 500m or 2".into(),
        Type::IntegerOrText => "a 32-bit integer or a string".into(),
        Type::Bytes => "a string in base64".into(),
        Type::Time => "a time such as 2026-01-02T03:04:05Z".into(),
        Type::Any => "anything".into(),
        Type::List(_) => "a sequence".into(),
        Type::Map(_) => "a map".into(),
        Type::Fields(name) => {
            format!("a map with the fields of {}", name.rsplit('.').next().unwrap_or(name))
        }
    }
}
