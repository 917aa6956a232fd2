//! What the numbers of a policy file may be.

use super::PolicyError;

/// A day, milliseconds: longer than anybody waits for a frame.
const DAY_MS: f64 = 86_400_000.0;
/// Of money, bytes and frames: sums of it are still exact to a thousandth, and no arithmetic
/// overflows.
const MAX_AMOUNT: f64 = 1e15;

/// Refuses `value` unless `ok`. `field` names its place in the file, such as
/// `[ratio] cloud_share`.
pub(crate) fn require(
    field: &'static str,
    value: f64,
    ok: bool,
    allowed: &'static str,
) -> Result<(), PolicyError> {
    if ok { Ok(()) } else { Err(PolicyError::Range { field, value: value.to_string(), allowed }) }
}

/// From 0 to 1.
pub(crate) fn share(field: &'static str, value: f64) -> Result<(), PolicyError> {
    require(field, value, (0.0..=1.0).contains(&value), "from 0 to 1")
}

/// A leaning, from -1 to 1.
pub(crate) fn leaning(field: &'static str, value: f64) -> Result<(), PolicyError> {
    require(field, value, (-1.0..=1.0).contains(&value), "from -1 to 1")
}

/// In milliseconds.
pub(crate) fn time(field: &'static str, value: f64) -> Result<(), PolicyError> {
    require(field, value, (1.0..=DAY_MS).contains(&value), "from 1 to 86400000 (a day)")
}

/// In milliseconds; 0 means that there is none.
pub(crate) fn time_or_none(field: &'static str, value: f64) -> Result<(), PolicyError> {
    require(field, value, (0.0..=DAY_MS).contains(&value), "from 0 to 86400000 (a day)")
}

/// In milliseconds, also shorter than one.
pub(crate) fn short_time(field: &'static str, value: f64) -> Result<(), PolicyError> {
    require(field, value, (0.001..=DAY_MS).contains(&value), "from 0.001 to 86400000 (a day)")
}

/// Of money, bytes or frames.
pub(crate) fn amount(field: &'static str, value: f64) -> Result<(), PolicyError> {
    require(field, value, (0.0..=MAX_AMOUNT).contains(&value), "from 0 to 1e15")
}

/// The same, but not nothing.
pub(crate) fn amount_above_zero(field: &'static str, value: f64) -> Result<(), PolicyError> {
    let allowed = "above 0 and at most 1e15";
    require(field, value, value > 0.0 && value <= MAX_AMOUNT, allowed)
}
