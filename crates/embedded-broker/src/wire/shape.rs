//! The shape of requests: just enough to tell whether the lengths in it are true.

use std::ops::RangeInclusive;

/// What a field looks like in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Of this many bytes.
    Fixed(usize),
    /// A text, or none.
    Text,
    /// Bytes, or none.
    Bytes,
    /// Any number of plain values, or none.
    Values(&'static Kind),
    /// Any number of structures, or none.
    Structs(&'static [Field]),
}

/// A field and the versions that have it.
#[derive(Debug, Clone)]
pub(super) struct Field {
    kind: Kind,
    versions: RangeInclusive<i16>,
}

impl Field {
    /// A field of all versions.
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, versions: 0..=i16::MAX }
    }

    /// A field that this version has brought.
    pub(super) const fn since(version: i16, kind: Kind) -> Self {
        Self { kind, versions: version..=i16::MAX }
    }

    /// A field of some versions.
    pub(super) const fn within(versions: RangeInclusive<i16>, kind: Kind) -> Self {
        Self { kind, versions }
    }
}

/// The bytes are not of the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misshapen;

/// Walks over bytes without reading them.
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self { rest: bytes, flexible }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Walks over a structure.
    pub(super) fn fields(&mut self, fields: &[Field], version: i16) -> Result<(), Misshapen> {
        for field in fields.iter().filter(|field| field.versions.contains(&version)) {
            self.value(field.kind, version)?;
        }
        if self.flexible { self.tags() } else { Ok(()) }
    }

    /// Walks over tagged fields, whatever they are.
    pub(super) fn tags(&mut self) -> Result<(), Misshapen> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let len = self.varint()?;
            self.skip(len)?;
        }
        Ok(())
    }

    fn value(&mut self, kind: Kind, version: i16) -> Result<(), Misshapen> {
        match kind {
            Kind::Fixed(len) => self.skip(len),
            Kind::Text if !self.flexible => {
                let len = self.big_endian::<2>()?;
                if len == 0xffff { Ok(()) } else { self.skip(len) }
            }
            Kind::Text | Kind::Bytes => {
                let len = self.length()?;
                self.skip(len)
            }
            Kind::Values(item) => {
                let count = self.count()?;
                (0..count).try_for_each(|_| self.value(*item, version))
            }
            Kind::Structs(fields) => {
                let count = self.count()?;
                (0..count).try_for_each(|_| self.fields(fields, version))
            }
        }
    }

    /// How many items follow: each has one byte at least.
    fn count(&mut self) -> Result<usize, Misshapen> {
        let count = self.length()?;
        if count <= self.rest.len() { Ok(count) } else { Err(Misshapen) }
    }

    /// A nullable length, where null counts as none.
    fn length(&mut self) -> Result<usize, Misshapen> {
        if self.flexible {
            return Ok(self.varint()?.saturating_sub(1));
        }
        let len = self.big_endian::<4>()?;
        Ok(if len == 0xffff_ffff { 0 } else { len })
    }

    fn big_endian<const N: usize>(&mut self) -> Result<usize, Misshapen> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Misshapen)?;
        self.rest = rest;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    }

    /// As the codec reads it: five bytes at most, the bits that overflow are lost.
    fn varint(&mut self) -> Result<usize, Misshapen> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let [byte] = *self.rest.first_chunk::<1>().ok_or(Misshapen)?;
            self.rest = &self.rest[1..];
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        usize::try_from(value).map_err(|_| Misshapen)
    }

    fn skip(&mut self, len: usize) -> Result<(), Misshapen> {
        self.rest = self.rest.get(len..).ok_or(Misshapen)?;
        Ok(())
    }
}
