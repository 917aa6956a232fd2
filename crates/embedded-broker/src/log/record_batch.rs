//! The header of a record batch (Kafka's message format v2), read and checked.
//!
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>.

use super::records::{MalformedRecord, Records};

/// Bytes before the first record.
pub(super) const HEADER_LEN: usize = 61;
/// Base offset and batch length: what the length field does not count.
const LENGTH_PREFIX: usize = 12;
/// The checksum covers everything from the attributes on.
const CRC_START: usize = 21;

const COMPRESSION_MASK: i16 = 0x07;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// Why bytes are not a record batch that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("the batch is shorter than its header says")]
    Truncated,
    #[error("message format {0} is not supported, only 2 is")]
    Format(i8),
    #[error("the batch's checksum does not match")]
    Crc,
    #[error("the batch's counts and lengths contradict each other")]
    Inconsistent,
    #[error("transactions are not supported")]
    Transactional,
    #[error("a compacted topic takes only records with a key")]
    NoKey,
    #[error("a compacted topic takes only uncompressed batches here, whose keys can be read")]
    Compressed,
}

impl From<MalformedRecord> for BatchError {
    fn from(_: MalformedRecord) -> Self {
        Self::Inconsistent
    }
}

/// The fields of a batch header that a broker acts on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchHeader {
    pub(super) base_offset: i64,
    pub(super) leader_epoch: i32,
    /// Of the whole batch, in bytes, this header included.
    pub(super) len: usize,
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    record_count: i32,
    crc: u32,
}

fn field<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

impl BatchHeader {
    /// Reads a header; what follows it is not read.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let head: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(BatchError::Truncated)?;
        let format = i8::from_be_bytes(field(head, 16));
        if format != 2 {
            return Err(BatchError::Format(format));
        }
        let length = usize::try_from(i32::from_be_bytes(field(head, 8)))
            .map_err(|_| BatchError::Inconsistent)?;
        let header = Self {
            base_offset: i64::from_be_bytes(field(head, 0)),
            leader_epoch: i32::from_be_bytes(field(head, 12)),
            len: length + LENGTH_PREFIX,
            crc: u32::from_be_bytes(field(head, 17)),
            attributes: i16::from_be_bytes(field(head, 21)),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        };
        let consistent = header.len > HEADER_LEN
            && header.last_offset_delta >= 0
            && header.record_count >= 1
            && header.record_count - 1 <= header.last_offset_delta
            && (header.producer_id < 0 || header.base_sequence >= 0);
        if consistent { Ok(header) } else { Err(BatchError::Inconsistent) }
    }

    /// Whether the checksum of a whole batch is right; `batch` is exactly one batch, this header's.
    pub(super) fn check_crc(&self, batch: &[u8]) -> Result<(), BatchError> {
        let covered = batch.get(CRC_START..).ok_or(BatchError::Truncated)?;
        if crc32c::crc32c(covered) == self.crc { Ok(()) } else { Err(BatchError::Crc) }
    }

    /// Reads and checks everything about a batch that a producer sends; `batch` must be exactly one
    /// batch. Compressed records are taken as they are.
    pub(super) fn check_produced(batch: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse(batch)?;
        match header.len.cmp(&batch.len()) {
            std::cmp::Ordering::Greater => return Err(BatchError::Truncated),
            std::cmp::Ordering::Less => return Err(BatchError::Inconsistent),
            std::cmp::Ordering::Equal => header.check_crc(batch)?,
        }
        if header.attributes & (TRANSACTIONAL | CONTROL) != 0 {
            return Err(BatchError::Transactional);
        }
        if header.record_count - 1 != header.last_offset_delta {
            return Err(BatchError::Inconsistent);
        }
        if !header.is_compressed() {
            let mut expected = 0;
            for record in Records::new(&batch[HEADER_LEN..]) {
                if record?.offset_delta != expected {
                    return Err(BatchError::Inconsistent);
                }
                expected += 1;
            }
            if expected != header.record_count {
                return Err(BatchError::Inconsistent);
            }
        }
        Ok(header)
    }

    /// Checks what a compacted topic asks for beyond [`Self::check_produced`]: keys that can be
    /// read.
    pub(super) fn check_keys(&self, batch: &[u8]) -> Result<(), BatchError> {
        if self.is_compressed() {
            return Err(BatchError::Compressed);
        }
        for record in Records::new(&batch[HEADER_LEN..]) {
            record?.key.ok_or(BatchError::NoKey)?;
        }
        Ok(())
    }

    /// The same batch with these records alone, each as it stands in `batch`. The others' offsets
    /// stay the batch's, as Kafka leaves them.
    pub(super) fn with_records(
        batch: &[u8],
        kept: &[&[u8]],
    ) -> Result<(Self, Vec<u8>), BatchError> {
        let head = batch.get(..HEADER_LEN).ok_or(BatchError::Truncated)?;
        let mut out = [&[head], kept].concat().concat();
        let length =
            i32::try_from(out.len() - LENGTH_PREFIX).map_err(|_| BatchError::Inconsistent)?;
        let count = i32::try_from(kept.len()).map_err(|_| BatchError::Inconsistent)?;
        out[8..12].copy_from_slice(&length.to_be_bytes());
        out[57..HEADER_LEN].copy_from_slice(&count.to_be_bytes());
        let crc = crc32c::crc32c(&out[CRC_START..]);
        out[17..CRC_START].copy_from_slice(&crc.to_be_bytes());
        Ok((Self::parse(&out)?, out))
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION_MASK != 0
    }

    /// Whether the batch only stands for offsets that were lost: nobody else may write control
    /// batches.
    pub(super) fn is_filler(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The offset after the last record, as the batch lies in the log; `None` when no offset could
    /// follow.
    pub(super) fn end_offset(&self) -> Option<i64> {
        self.base_offset.checked_add(i64::from(self.last_offset_delta) + 1)
    }
}
