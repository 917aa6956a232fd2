//! Spans as an OTLP request in protobuf's wire format.
//!
//! Messages and field numbers: `opentelemetry/proto/collector/trace/v1/trace_service.proto` and
//! what it imports (opentelemetry-proto 1.7, stable). Written by hand because it is so little: the
//! crates `opentelemetry`, `opentelemetry_sdk` and `opentelemetry-otlp` took 0.4 MB in each
//! binary, and cannot hold spans until their frame's outcome is known.

use super::span::{Span, Value};
use frame::{Timestamp, TraceParent};

/// The status code of a span that failed.
const STATUS_ERROR: u64 = 2;

/// The part of a request that is the same in all of them: whose spans these are. An encoded
/// `Resource`.
pub(super) fn resource(attributes: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in attributes {
        key_value(&mut out, 1, key, &Value::Text(value.clone().into()));
    }
    out
}

/// An `ExportTraceServiceRequest`.
pub(super) fn request(resource: &[u8], spans: &[Span]) -> Vec<u8> {
    let mut out = Vec::with_capacity(resource.len() + 600 * spans.len());
    message(&mut out, 1, |out| {
        bytes(out, 1, resource);
        message(out, 2, |out| {
            message(out, 1, |out| {
                bytes(out, 1, b"mlvi");
                bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
            });
            for one in spans {
                message(out, 2, |out| span(out, one));
            }
        });
    });
    out
}

fn span(out: &mut Vec<u8>, span: &Span) {
    ids(out, span.context);
    if let Some(parent) = span.parent {
        bytes(out, 4, &parent.to_be_bytes());
    }
    bytes(out, 5, span.name.as_bytes());
    number(out, 6, span.kind as u64);
    time(out, 7, span.started);
    time(out, 8, span.ended);
    for (key, value) in &span.attributes {
        key_value(out, 9, key, value);
    }
    for (name, at) in &span.events {
        message(out, 11, |out| {
            time(out, 1, *at);
            bytes(out, 2, name.as_bytes());
        });
    }
    if let Some(link) = span.link {
        message(out, 13, |out| {
            ids(out, link);
            fixed32(out, 6, u32::from(link.flags()));
        });
    }
    if let Some(why) = &span.error {
        message(out, 15, |out| {
            bytes(out, 2, why.as_bytes());
            number(out, 3, STATUS_ERROR);
        });
    }
    fixed32(out, 16, u32::from(span.context.flags()));
}

fn ids(out: &mut Vec<u8>, context: TraceParent) {
    bytes(out, 1, &context.trace_bits().to_be_bytes());
    bytes(out, 2, &context.span_id().to_be_bytes());
}

fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: &Value) {
    message(out, field, |out| {
        bytes(out, 1, key.as_bytes());
        message(out, 2, |out| match value {
            Value::Text(text) => bytes(out, 1, text.as_bytes()),
            // two's complement, as int64 is encoded
            Value::Whole(whole) => number(out, 3, *whole as u64),
            Value::Number(double) => fixed64(out, 4, double.to_bits()),
        });
    });
}

/// Nanoseconds since the epoch.
fn time(out: &mut Vec<u8>, field: u32, at: Timestamp) {
    fixed64(out, field, at.as_micros().saturating_mul(1000));
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const FIXED32: u32 = 5;

fn tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend(value.to_le_bytes());
}

fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    tag(out, field, LENGTH_DELIMITED);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// A message in the message. Its length is known once it is written, and put before it.
fn message(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH_DELIMITED);
    let start = out.len();
    body(out);
    let mut length = Vec::with_capacity(5);
    varint(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many spans a collector says that it did not take: the field `rejected_spans` of the
/// `partial_success` in an `ExportTraceServiceResponse`. What is no such message rejects nothing.
pub(super) fn rejected(response: &[u8]) -> u64 {
    let partial = field(response, 1).and_then(|(_, partial)| partial);
    partial.and_then(|partial| field(partial, 1)).map_or(0, |(rejected, _)| rejected)
}

/// The first such field: its number, and its bytes if it has any.
fn field(mut message: &[u8], wanted: u64) -> Option<(u64, Option<&[u8]>)> {
    while !message.is_empty() {
        let key = read_varint(&mut message)?;
        let (value, content) = match (key & 7) as u32 {
            VARINT => (read_varint(&mut message)?, None),
            LENGTH_DELIMITED => {
                let length = read_varint(&mut message)?;
                let (content, rest) = message.split_at_checked(usize::try_from(length).ok()?)?;
                message = rest;
                (length, Some(content))
            }
            FIXED64 => {
                message = message.get(8..)?;
                (0, None)
            }
            FIXED32 => {
                message = message.get(4..)?;
                (0, None)
            }
            _ => return None,
        };
        if key >> 3 == wanted {
            return Some((value, content));
        }
    }
    None
}

fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_documentation_shows() {
        // https://protobuf.dev/programming-guides/encoding/: field 1 with 150
        let mut out = Vec::new();
        number(&mut out, 1, 150);
        assert_eq!(out, [0x08, 0x96, 0x01]);
        out.clear();
        bytes(&mut out, 2, b"testing");
        assert_eq!(out, b"\x12\x07testing");
        out.clear();
        message(&mut out, 3, |out| number(out, 1, 150));
        assert_eq!(out, [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn a_length_of_more_than_one_byte_stands_before_its_message() {
        let mut out = Vec::new();
        message(&mut out, 1, |out| bytes(out, 1, &[7; 200]));
        assert_eq!(out[..6], [0x0a, 0xcb, 0x01, 0x0a, 0xc8, 0x01]);
        assert_eq!(out.len(), 206);
    }

    #[test]
    fn rejected_spans_are_read_off_a_partial_success() {
        let mut response = Vec::new();
        message(&mut response, 1, |out| {
            bytes(out, 2, b"no room");
            number(out, 1, 300);
        });
        assert_eq!(rejected(&response), 300);
        for other in [&b""[..], b"<html>", &[0x0a, 0xff], &[0xff; 20], &response[..3]] {
            assert_eq!(rejected(other), 0, "{other:?}");
        }
    }
}
