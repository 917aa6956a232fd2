//! One line of the offsets file, in binary: `length u32, crc32c u32, group, topic, partition i32,
//! offset i64, epoch i32, metadata, topic id [u8; 16]`.
//!
//! Texts are a `u32` length and UTF-8 bytes; all numbers are big-endian. Offset −1 says that the
//! commit is gone. Entries without a topic id, as older versions wrote them, are those of whatever
//! topic has the name.

use super::store::{Committed, Key};
use bytes::{Buf, BufMut};
use uuid::Uuid;

/// Length and checksum.
const FRAME: usize = 8;
/// No entry is longer: group and topic have 32 KiB at most, metadata 4 KiB.
const MAX_LEN: usize = 128 * 1024;

/// Writes an entry; `None` for a commit that is gone.
pub(super) fn write(out: &mut Vec<u8>, key: &Key, committed: Option<&Committed>) {
    let start = out.len();
    out.put_bytes(0, FRAME);
    put_text(out, &key.group);
    put_text(out, &key.topic);
    out.put_i32(key.partition);
    out.put_i64(committed.map_or(-1, |committed| committed.offset));
    out.put_i32(committed.map_or(-1, |committed| committed.leader_epoch));
    put_text(out, committed.map_or("", |committed| &committed.metadata));
    out.put_slice(committed.map_or(Uuid::nil(), |committed| committed.topic_id).as_bytes());
    let body = out.split_at_mut(start + FRAME);
    let (len, crc) = (u32::try_from(body.1.len()).unwrap_or(u32::MAX), crc32c::crc32c(body.1));
    body.0[start..start + 4].copy_from_slice(&len.to_be_bytes());
    body.0[start + 4..start + FRAME].copy_from_slice(&crc.to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.put_slice(text.as_bytes());
}

/// Reads the entry at the start of `bytes` and moves on to the next one; `None` when there is no
/// whole entry.
pub(super) fn read(bytes: &mut &[u8]) -> Option<(Key, Option<Committed>)> {
    let mut rest = *bytes;
    let len = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    let crc = rest.try_get_u32().ok()?;
    if len > MAX_LEN {
        return None;
    }
    let (mut body, rest) = rest.split_at_checked(len)?;
    if crc32c::crc32c(body) != crc {
        return None;
    }
    let body = &mut body;
    let (group, topic) = (get_text(body)?, get_text(body)?);
    let partition = body.try_get_i32().ok()?;
    let offset = body.try_get_i64().ok()?;
    let leader_epoch = body.try_get_i32().ok()?;
    let metadata = get_text(body)?;
    let topic_id = body.first_chunk().map_or(Uuid::nil(), |id| Uuid::from_bytes(*id));
    *bytes = rest;
    let committed = (offset >= 0).then_some(Committed { offset, leader_epoch, metadata, topic_id });
    Some((Key { group, topic, partition }, committed))
}

/// Moves on to the next whole entry behind damage; false when there is none.
pub(super) fn skip_damage(bytes: &mut &[u8]) -> bool {
    let whole = |at: &usize| {
        let mut rest = &bytes[*at..];
        read(&mut rest).is_some()
    };
    let found = (1..bytes.len()).find(whole);
    *bytes = found.map_or(*bytes, |at| &bytes[at..]);
    found.is_some()
}

/// Whether bytes may be the beginning of an entry, as a crash leaves it.
pub(super) fn may_be_torn(mut bytes: &[u8]) -> bool {
    let len = bytes.try_get_u32().map(|len| len as usize);
    // where the file has grown and its contents have not been written, there are zeros
    len.is_err()
        || len.is_ok_and(|len| len <= MAX_LEN && len + FRAME > bytes.len() + 4)
        || bytes.iter().all(|byte| *byte == 0)
}

fn get_text(bytes: &mut &[u8]) -> Option<String> {
    let len = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}
