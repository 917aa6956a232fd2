//! W3C Trace Context: the `traceparent` that ties a frame's hops together.
//!
//! Format: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A trace id (16 bytes), the id of the calling span (8 bytes) and flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

/// The flag of a trace whose spans are recorded.
const SAMPLED: u8 = 1;

/// A text that is no `traceparent`.
#[derive(Debug, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceParent;

impl TraceParent {
    /// The start of a new, sampled trace. The last 56 bits of its id are random, as level 2 of the
    /// standard asks for, so that a share of traces can be taken by them.
    #[must_use]
    pub fn root() -> Self {
        Self { trace_id: Uuid::new_v4().as_u128(), span_id: random_span(), flags: SAMPLED }
    }

    /// The same trace with a new span id: what a stage hands on to the next.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span_id: random_span(), ..self }
    }

    /// The same with the flag `sampled` set or not: whether spans of the trace are recorded.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        let flags = if sampled { self.flags | SAMPLED } else { self.flags & !SAMPLED };
        Self { flags, ..self }
    }

    /// Whether the flag `sampled` is set.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace id as a number, its first byte the highest.
    #[must_use]
    pub const fn trace_bits(self) -> u128 {
        self.trace_id
    }

    /// The id of the span, never 0; its first byte the highest.
    #[must_use]
    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    /// The flags, as they travel.
    #[must_use]
    pub const fn flags(self) -> u8 {
        self.flags
    }

    /// The trace id as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

/// The random tail of a UUIDv7, never 0, which the standard forbids.
fn random_span() -> u64 {
    (Uuid::now_v7().as_u128() as u64).max(1)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower_hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
        };
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, span, flags, ..] = parts[..] else { return Err(InvalidTraceParent) };
        // version 00 has exactly four parts; a later one may have more and is read as far as we
        // know it
        let well_formed = lower_hex(version, 2)
            && version != "ff"
            && (version != "00" || parts.len() == 4)
            && lower_hex(trace, 32)
            && lower_hex(span, 16)
            && lower_hex(flags, 2);
        if !well_formed {
            return Err(InvalidTraceParent);
        }
        let parsed = Self {
            trace_id: u128::from_str_radix(trace, 16).map_err(|_| InvalidTraceParent)?,
            span_id: u64::from_str_radix(span, 16).map_err(|_| InvalidTraceParent)?,
            flags: u8::from_str_radix(flags, 16).map_err(|_| InvalidTraceParent)?,
        };
        if parsed.trace_id == 0 || parsed.span_id == 0 {
            Err(InvalidTraceParent)
        } else {
            Ok(parsed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_example_survives_a_round_trip() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), text);
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let root = TraceParent::root();
        let child = root.child();
        assert_eq!(child.trace_id(), root.trace_id());
        assert_ne!(child.to_string(), root.to_string());
    }

    #[test]
    fn a_trace_is_sampled_or_not_and_keeps_its_other_flags() {
        let given: TraceParent =
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03".parse().unwrap();
        let not = given.with_sampled(false);
        assert!(given.is_sampled() && !not.is_sampled() && not.with_sampled(true) == given);
        assert!(not.to_string().ends_with("-02"), "{not}");
    }

    #[test]
    fn malformed_ones_are_refused() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }
}
