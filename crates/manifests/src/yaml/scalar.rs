//! What a plain scalar means to `kubectl`, which reads YAML 1.1: `yes` is true, and `0440` is
//! octal.

use serde_json::{Number, Value};

pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    integer(text).or_else(|| float(text)).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn integer(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (digits, radix) = match digits {
        _ if digits.starts_with("0x") => (&digits[2..], 16),
        _ if digits.starts_with("0o") => (&digits[2..], 8),
        _ if digits.starts_with("0b") => (&digits[2..], 2),
        _ if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        _ => (digits, 10),
    };
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(Value::Number(Number::from(if negative { -value } else { value })))
}

fn float(text: &str) -> Option<Value> {
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    // Rust also reads `inf` and `nan`, which are texts here
    let is_number = text.chars().all(numeric) && text.contains(|c: char| c.is_ascii_digit());
    let value: f64 = text.parse().ok().filter(|_| is_number)?;
    Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_kubectl_takes_them_for() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("0440", json!(288)),
            ("0x10", json!(16)),
            ("1_000", json!(1000)),
            ("0.5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("0.1.0", json!("0.1.0")),
            ("08", json!(8.0)),
            ("1Gi", json!("1Gi")),
            ("nan", json!("nan")),
            ("-", json!("-")),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text), expected, "{text}");
        }
    }
}
