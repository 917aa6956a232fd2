//! What a compacted log keeps, also after a restart and a crash.

use crate::log::testing::{ANYONE, KEEP_ALL, Read, Record, Sender, batch_of, read_all};
use crate::log::{AppendError, BatchError, LogOptions, Partition, SequenceError, now_ms};
use std::path::Path;

const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 1000, compact: true, retention_ms: Some(1), ..KEEP_ALL };

fn open(dir: &Path) -> Partition {
    Partition::open(dir.join("t-0"), OPTIONS).unwrap()
}

fn append(log: &Partition, records: &[Record<'_>]) {
    log.append(&batch_of(records, ANYONE)).unwrap();
}

fn value(fill: u8) -> Option<&'static [u8]> {
    Some(match fill {
        0 => &[0; 100],
        _ => &[1; 100],
    })
}

/// Key and offset of what can be read.
fn kept(log: &Partition) -> Vec<(String, i64)> {
    let name = |read: &Read| String::from_utf8(read.key.clone().unwrap()).unwrap();
    read_all(log, 0, 1 << 20).iter().map(|read| (name(read), read.offset)).collect()
}

#[test]
fn the_last_record_of_a_key_stays_at_its_offset_whatever_its_age() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    // two keys in one batch, of which one is replaced
    append(&log, &[(1, Some(b"rare"), value(0)), (1, Some(b"often"), value(0))]);
    for time in 2..200 {
        append(&log, &[(time, Some(b"often"), value(1))]);
        log.enforce_retention(now_ms()).unwrap();
    }
    let before = kept(&log);
    assert_eq!(log.offsets(), (0, 200));
    assert_eq!(before[0], ("rare".into(), 0));
    assert_eq!(before.last(), Some(&("often".into(), 199)));
    assert!(before.len() < 20 && log.bytes() < 3500, "{} bytes: {before:?}", log.bytes());
    log.close().unwrap();
    drop(log);

    let log = open(dir.path());
    assert_eq!((kept(&log), log.offsets()), (before, (0, 200)));
    append(&log, &[(200, Some(b"rare"), value(1))]);
    assert_eq!(kept(&log).last(), Some(&("rare".into(), 200)));
}

#[test]
fn a_record_without_a_value_deletes_its_key_and_goes_a_day_later() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let now = now_ms();
    append(&log, &[(now, Some(b"gone"), value(0))]);
    append(&log, &[(now, Some(b"gone"), None)]);
    let more = |from: i64| {
        for time in from..from + 20 {
            append(&log, &[(time, Some(b"other"), value(1))]);
        }
    };
    more(now);
    log.compact(now).unwrap();
    assert_eq!(kept(&log)[0], ("gone".into(), 1), "the deletion can be read");
    more(now);
    log.compact(now + 25 * 3600 * 1000).unwrap();
    assert!(kept(&log).iter().all(|(key, _)| key == "other"), "{:?}", kept(&log));
}

#[test]
fn a_crash_before_the_old_segments_are_removed_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &[(1, Some(b"rare"), value(0))]);
    for time in 2..40 {
        append(&log, &[(time, Some(b"often"), value(1))]);
    }
    let files = || {
        let files = std::fs::read_dir(dir.path().join("t-0")).unwrap();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    let copies: Vec<_> =
        files().into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    log.compact(now_ms()).unwrap();
    let before = kept(&log);
    log.close().unwrap();
    drop(log);
    let merged = files();
    for (path, bytes) in copies.iter().filter(|(path, _)| !merged.contains(path)) {
        std::fs::write(path, bytes).unwrap();
    }
    assert!(files().len() > merged.len(), "the old ones are there again");
    let log = open(dir.path());
    assert_eq!((kept(&log), log.offsets().1), (before, 39), "no offset was lost");
}

#[test]
fn records_whose_keys_cannot_be_read_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let refused = log.append(&batch_of(&[(1, None, value(0))], ANYONE)).unwrap_err();
    assert!(matches!(refused, AppendError::Batch(BatchError::NoKey)), "{refused}");
    assert_eq!(log.offsets(), (0, 0));
}

#[test]
fn a_producer_whose_last_record_was_replaced_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let sent = |key: &'static [u8], sequence| {
        batch_of(&[(1, Some(key), value(0))], Sender { id: 9, epoch: 0, sequence })
    };
    log.append(&sent(b"rare", 0)).unwrap();
    log.append(&sent(b"often", 1)).unwrap();
    for time in 2..40 {
        append(&log, &[(time, Some(b"often"), value(1))]);
    }
    log.compact(now_ms()).unwrap();
    assert!(kept(&log).contains(&("rare".into(), 0)) && !kept(&log).contains(&("often".into(), 1)));
    log.close().unwrap();
    drop(log);

    let log = open(dir.path());
    // of its two records, the log shows the first alone
    let appended = log.append(&sent(b"often", 2)).unwrap();
    assert_eq!(appended.base_offset, 40);
    // and from there on it has to continue
    let gap = log.append(&sent(b"often", 7)).unwrap_err();
    assert!(matches!(gap, AppendError::Sequence(SequenceError::OutOfOrder)), "{gap}");
}
