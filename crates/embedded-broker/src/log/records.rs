//! Walks the records of an uncompressed batch without copying them.

/// Bytes that are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed record")]
pub(super) struct MalformedRecord;

/// A record, and where it stands relative to its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordFacts<'a> {
    pub(super) offset_delta: i32,
    pub(super) timestamp_delta: i64,
    pub(super) key: Option<&'a [u8]>,
    /// Whether it has a value; one without deletes its key from a compacted topic.
    pub(super) has_value: bool,
    /// The whole record as it stands in the batch, its length included.
    pub(super) bytes: &'a [u8],
}

/// The records of a batch's body, one after the other; ends after the first malformed one.
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Over the bytes after a batch's header.
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    fn read(&mut self) -> Result<RecordFacts<'a>, MalformedRecord> {
        let from = self.rest;
        let len = length(&mut self.rest)?.ok_or(MalformedRecord)?;
        let mut record = take(&mut self.rest, len)?;
        let bytes = &from[..from.len() - self.rest.len()];
        take(&mut record, 1)?; // attributes: none are defined
        let timestamp_delta = varint(&mut record)?;
        let offset_delta = i32::try_from(varint(&mut record)?).map_err(|_| MalformedRecord)?;
        let key = take_nullable(&mut record)?;
        let has_value = take_nullable(&mut record)?.is_some();
        let headers = length(&mut record)?.ok_or(MalformedRecord)?;
        for _ in 0..headers {
            let name = length(&mut record)?.ok_or(MalformedRecord)?;
            take(&mut record, name)?;
            take_nullable(&mut record)?;
        }
        if record.is_empty() {
            Ok(RecordFacts { offset_delta, timestamp_delta, key, has_value, bytes })
        } else {
            Err(MalformedRecord)
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordFacts<'a>, MalformedRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], MalformedRecord> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(MalformedRecord)?;
    *bytes = rest;
    Ok(taken)
}

fn take_nullable<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, MalformedRecord> {
    length(bytes)?.map(|len| take(bytes, len)).transpose()
}

/// A length, or `None` for −1 (null).
fn length(bytes: &mut &[u8]) -> Result<Option<usize>, MalformedRecord> {
    match varint(bytes)? {
        -1 => Ok(None),
        value => usize::try_from(value).map(Some).map_err(|_| MalformedRecord),
    }
}

/// A zigzag-encoded integer of up to 64 bits.
fn varint(bytes: &mut &[u8]) -> Result<i64, MalformedRecord> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    Err(MalformedRecord)
}
