//! A log keeps what it was given, whatever happens to its files.

use super::segment::file_name;
use super::testing::{ANYONE, KEEP_ALL, Read, Sender, batch, one, read_all};
use super::*;
use crate::files::lock;
use crate::log::checkpoint::CHECKPOINT_FILE;
use crate::log::partition::{RESERVED_AHEAD, START_FILE};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn open(dir: &Path, options: LogOptions) -> Partition {
    Partition::open(dir.to_owned(), options).unwrap()
}

fn segments(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != START_FILE && name != CHECKPOINT_FILE);
    names.sort();
    names
}

#[test]
fn a_batch_comes_back_as_it_was_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    log.append(&one(5, 10)).unwrap();
    let sent = batch(&[(7, b"a"), (8, b"bc")], ANYONE);
    assert_eq!(log.append(&sent).unwrap().base_offset, 1);
    let read = log.stretch(1, usize::MAX, false).unwrap().unwrap().read().unwrap();
    assert_eq!(read[..8], 1_i64.to_be_bytes());
    assert_eq!(read[8..12], sent[8..12]);
    assert_eq!(read[16..], sent[16..]);
    assert_eq!(log.offsets(), (0, 3));
    assert!(log.stretch(3, usize::MAX, true).unwrap().is_none());
    assert_eq!(log.stretch(4, 1, true).unwrap_err(), OutOfRange);
    assert_eq!(log.stretch(-1, 1, true).unwrap_err(), OutOfRange);
}

#[test]
fn damaged_and_nonsensical_batches_are_refused_and_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), LogOptions { max_batch_bytes: 1000, ..KEEP_ALL });
    let good = batch(&[(1, b"some"), (2, b"bytes")], Sender { id: 1, epoch: 0, sequence: 0 });
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x40;
        // the broker writes base offset and leader epoch itself
        let refused = log.append(&bad).is_err();
        assert_eq!(refused, !(index < 8 || (12..16).contains(&index)), "byte {index}");
        if !refused {
            assert_eq!(log.append(&bad).unwrap().base_offset, 0, "a duplicate, not a second one");
        }
    }
    for len in 0..good.len() {
        assert!(matches!(log.append(&good[..len]), Err(AppendError::Batch(_))), "{len} bytes");
    }
    assert!(matches!(
        log.append(&[good.clone(), good].concat()),
        Err(AppendError::Batch(BatchError::Inconsistent))
    ));
    assert!(matches!(log.append(&one(1, 2000)), Err(AppendError::TooLarge { limit: 1000, .. })));
    assert_eq!(log.offsets(), (0, 2));
}

#[test]
fn a_batch_sent_twice_is_kept_once_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let sent = |sequence| batch(&[(1, b"a"), (1, b"b")], Sender { id: 9, epoch: 1, sequence });
    let log = open(dir.path(), KEEP_ALL);
    for index in 0..7 {
        assert_eq!(log.append(&sent(index * 2)).unwrap().base_offset, i64::from(index * 2));
    }
    log.close().unwrap();
    drop(log);
    let log = open(dir.path(), KEEP_ALL);
    for index in 2..7 {
        assert_eq!(
            log.append(&sent(index * 2)).unwrap().base_offset,
            i64::from(index * 2),
            "one of the last five"
        );
    }
    let out_of_order =
        |result| matches!(result, Err(AppendError::Sequence(SequenceError::OutOfOrder)));
    assert!(out_of_order(log.append(&sent(0))), "too long ago to be recognised");
    assert!(out_of_order(log.append(&sent(16))), "14 is missing");
    assert_eq!(log.append(&sent(14)).unwrap().base_offset, 14);
    let epoch = |epoch, sequence| batch(&[(1, b"a")], Sender { id: 9, epoch, sequence });
    assert!(out_of_order(log.append(&epoch(2, 5))), "a new epoch starts at 0");
    assert_eq!(log.append(&epoch(2, 0)).unwrap().base_offset, 16);
    assert!(matches!(
        log.append(&epoch(1, 16)),
        Err(AppendError::Sequence(SequenceError::OldEpoch))
    ));
    let other = batch(&[(1, b"a")], Sender { id: 10, epoch: 0, sequence: 77 });
    assert_eq!(
        log.append(&other).unwrap().base_offset,
        17,
        "a producer that is not known may start anywhere"
    );
}

#[test]
fn sequences_start_over_after_the_largest_number() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    let sent =
        |sequence| batch(&[(1, b"a"), (1, b"b"), (1, b"c")], Sender { id: 9, epoch: 1, sequence });
    log.append(&sent(i32::MAX - 1)).unwrap();
    assert_eq!(log.append(&sent(1)).unwrap().base_offset, 3);
}

#[test]
fn size_decides_what_goes() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 1000, retention_bytes: Some(3000), ..KEEP_ALL };
    let log = open(dir.path(), options);
    for _ in 0..100 {
        log.append(&one(1, 200)).unwrap();
        assert!(log.bytes() <= 3000 + 2 * 1000, "at most two segments more than asked for");
    }
    let (start, end) = log.offsets();
    assert!(end == 100 && start > 80 && log.bytes() >= 3000, "{start}");
    assert_eq!(log.stretch(start - 1, 1, true).unwrap_err(), OutOfRange);
    let files: u64 = segments(dir.path())
        .iter()
        .map(|name| fs::metadata(dir.path().join(name)).unwrap().len())
        .sum();
    assert_eq!(files, log.bytes());
    log.close().unwrap();
    drop(log);
    assert_eq!(open(dir.path(), options).offsets(), (start, end));
}

#[test]
fn age_decides_what_goes_and_a_clock_that_runs_ahead_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 100, retention_ms: Some(1000), ..KEEP_ALL };
    let now = now_ms();
    let log = open(dir.path(), options);
    for timestamp in [now - 5000, now - 2000, now - 500, now + 1_000_000] {
        log.append(&one(timestamp, 100)).unwrap();
    }
    log.enforce_retention(now).unwrap();
    assert_eq!(log.offsets(), (2, 4));
    log.enforce_retention(now + 800).unwrap();
    assert_eq!(log.offsets(), (3, 4));
    log.enforce_retention(now_ms() + 2000).unwrap();
    assert_eq!(
        log.offsets(),
        (4, 4),
        "it was written more than a second ago, whatever its time says"
    );
    assert_eq!(log.append(&one(now, 1)).unwrap().base_offset, 4);
    log.close().unwrap();
    drop(log);
    assert_eq!(open(dir.path(), options).offsets(), (4, 5));
}

#[test]
fn what_is_read_from_the_cache_is_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    log.append(&one(1, 100)).unwrap();
    log.append(&one(2, 5000)).unwrap();
    let stretch = log.stretch(1, usize::MAX, true).unwrap().unwrap();
    // not every file system can tell what is in the page cache
    if let Some(bytes) = stretch.read_from_cache() {
        assert_eq!(bytes, stretch.read().unwrap());
    }
    stretch.file.set_len(stretch.position + 50).unwrap();
    assert_eq!(stretch.read_from_cache(), None, "a part is no batch");
    assert!(stretch.read().is_err());
}

#[test]
fn a_reader_finishes_what_it_has_begun_although_the_segment_goes() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    log.append(&one(1, 100)).unwrap();
    let stretch = log.stretch(0, 1000, true).unwrap().unwrap();
    log.shrink().unwrap();
    assert_eq!(log.offsets(), (1, 1));
    assert_eq!(log.bytes(), 0);
    assert_eq!(stretch.read().unwrap().len(), stretch.len());
    log.shrink().unwrap();
    assert_eq!(
        log.append(&one(1, 100)).unwrap().base_offset,
        1,
        "an empty log has nothing to lose"
    );
    log.close().unwrap();
    drop(log);
    assert_eq!(open(dir.path(), KEEP_ALL).offsets(), (1, 2));
}

#[test]
fn a_file_that_is_missing_costs_its_own_records_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 100, ..KEEP_ALL };
    let log = open(dir.path(), options);
    for time in 0..5 {
        log.append(&one(time, 100)).unwrap();
    }
    log.close().unwrap();
    drop(log);
    fs::remove_file(dir.path().join(file_name(2))).unwrap();
    for _ in 0..2 {
        let log = open(dir.path(), options);
        assert_eq!(log.offsets(), (0, 5));
        assert_eq!(
            read_all(&log, 0, 1).iter().map(|read| read.timestamp).collect::<Vec<_>>(),
            [0, 1, 3, 4]
        );
        assert_eq!((log.settle(1), log.settle(2), log.settle(3), log.leader_epoch()), (1, 3, 3, 1));
    }
    let log = open(dir.path(), options);
    assert_eq!(log.append(&one(1, 100)).unwrap().base_offset, 5);
}

#[test]
fn a_shorter_log_goes_on_above_every_offset_it_has_given() {
    for batches_left in 0..4 {
        for (closed, next) in [(true, 4), (false, 1 + RESERVED_AHEAD)] {
            let dir = tempfile::tempdir().unwrap();
            let log = open(dir.path(), KEEP_ALL);
            for time in 0..4 {
                log.append(&one(time, 10)).unwrap();
            }
            if closed {
                log.close().unwrap();
            }
            drop(log);
            // exactly between two batches: nothing in the file shows it
            let path = dir.path().join(file_name(0));
            let len = fs::metadata(&path).unwrap().len() / 4 * batches_left;
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
            let log = open(dir.path(), KEEP_ALL);
            assert_eq!(log.offsets(), (0, next), "{batches_left} batches left, closed: {closed}");
            assert_eq!(read_all(&log, 0, usize::MAX).len() as u64, batches_left);
            assert_eq!(log.settle(batches_left as i64), next);
            assert_eq!((log.leader_epoch(), log.end_of_epoch(0)), (1, Some((0, next))));
            assert_eq!(log.append(&one(9, 10)).unwrap().base_offset, next);
            assert_eq!(
                read_all(&log, 4.min(next), usize::MAX)
                    .iter()
                    .map(|read| read.timestamp)
                    .collect::<Vec<_>>(),
                [9]
            );
        }
    }
}

#[test]
fn a_log_whose_files_are_gone_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    (0..4).for_each(|time| _ = log.append(&one(time, 10)).unwrap());
    log.close().unwrap();
    drop(log);
    fs::remove_file(dir.path().join(file_name(0))).unwrap();
    let log = open(dir.path(), KEEP_ALL);
    assert_eq!(log.offsets(), (4, 4));
    assert_eq!(log.append(&one(1, 1)).unwrap().base_offset, 4);
}

#[test]
fn a_producer_whose_last_batches_are_lost_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let sent = |sequence| batch(&[(1, b"a")], Sender { id: 9, epoch: 0, sequence });
    let log = open(dir.path(), KEEP_ALL);
    (0..4).for_each(|sequence| _ = log.append(&sent(sequence)).unwrap());
    drop(log);
    let path = dir.path().join(file_name(0));
    let len = fs::metadata(&path).unwrap().len() / 2;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
    let log = open(dir.path(), KEEP_ALL);
    assert_eq!(log.append(&sent(1)).unwrap().base_offset, 1, "what is left is still known");
    log.append(&sent(4)).expect("the broker had acknowledged up to 3");
    assert!(matches!(log.append(&sent(6)), Err(AppendError::Sequence(SequenceError::OutOfOrder))));
}

#[test]
fn a_damaged_checkpoint_gives_no_offset_twice_and_no_epoch_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    log.append(&one(0, 10)).unwrap();
    drop(log);
    let log = open(dir.path(), KEEP_ALL);
    let second = log.append(&one(0, 10)).unwrap().base_offset;
    assert_eq!(log.leader_epoch(), 1);
    drop(log);
    fs::write(dir.path().join(CHECKPOINT_FILE), "noise").unwrap();
    let log = open(dir.path(), KEEP_ALL);
    assert!(log.offsets().1 > second + 1 && log.leader_epoch() == 2, "{:?}", log.offsets());
    assert_eq!(log.end_of_epoch(0), Some((0, second)));
}

#[test]
fn a_log_of_an_older_version_goes_on_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    (0..4).for_each(|time| _ = log.append(&one(time, 10)).unwrap());
    drop(log);
    fs::remove_file(dir.path().join(CHECKPOINT_FILE)).unwrap();
    let log = open(dir.path(), KEEP_ALL);
    assert_eq!((log.offsets(), log.leader_epoch()), ((0, 4), 0));
    assert_eq!(log.append(&one(1, 1)).unwrap().base_offset, 4);
}

#[test]
fn a_flush_that_failed_fails_again_until_the_disk_works() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir.path().join("log"), KEEP_ALL);
    log.append(&one(1, 1)).unwrap();
    let away = dir.path().join("away");
    fs::rename(log.dir(), &away).unwrap();
    for _ in 0..2 {
        log.flush().expect_err("there is no directory to sync");
    }
    fs::rename(&away, log.dir()).unwrap();
    log.flush().unwrap();
    // takes writes, but cannot be synced
    let bad = fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    lock(&log.view).segments.back_mut().unwrap().file = Arc::new(bad);
    log.append(&one(1, 1)).unwrap();
    for _ in 0..2 {
        log.flush().expect_err("the file cannot be synced");
        log.append(&one(1, 1)).unwrap();
    }
    log.shrink().unwrap();
    log.flush().expect("what has been dropped need not be synced");
}

#[test]
fn a_search_by_time_finds_its_record_far_into_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    for index in 0..10_000 {
        log.append(&one(index % 4000, 1)).unwrap();
    }
    log.append(&one(9000, 1)).unwrap();
    let found =
        |timestamp| log.find_time(timestamp).unwrap().map(|found| (found.offset, found.timestamp));
    assert_eq!(found(9000), Some((10_000, 9000)));
    assert_eq!(found(3999), Some((3999, 3999)));
    assert_eq!(found(9001), None);
}

#[tokio::test]
async fn a_waiter_that_is_registered_misses_no_append() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), KEEP_ALL);
    let waiter = Waiter::default();
    log.register(&waiter);
    log.register(&waiter);
    log.append(&one(1, 1)).unwrap();
    waiter.woken().await;
    log.register(&waiter);
    log.close_deleted();
    waiter.woken().await;
    assert!(matches!(log.append(&one(1, 1)), Err(AppendError::Deleted)));
}

/// What may be done to a log.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(i64, usize)>),
    Reopen,
    DeleteBefore(f64),
    Shrink,
    Find(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec((0_i64..100, 0_usize..200), 1..5).prop_map(Step::Append),
        1 => Just(Step::Reopen),
        1 => (0.0..=1.0_f64).prop_map(Step::DeleteBefore),
        1 => Just(Step::Shrink),
        2 => (-5_i64..105).prop_map(Step::Find),
    ];
    prop::collection::vec(step, 1..40)
}

fn records(sizes: &[(i64, usize)]) -> Vec<u8> {
    let values: Vec<_> = sizes.iter().map(|(timestamp, len)| (*timestamp, vec![3; *len])).collect();
    let records: Vec<_> =
        values.iter().map(|(timestamp, value)| (*timestamp, value.as_slice())).collect();
    batch(&records, ANYONE)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_log_behaves_like_a_list(steps in steps(), segment_bytes in 100_u64..2000, bite in 1_usize..3000) {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes, ..KEEP_ALL };
        let mut log = open(dir.path(), options);
        let mut model = Vec::<Read>::new();
        let mut end = 0;
        for step in steps {
            match step {
                Step::Append(sizes) => {
                    prop_assert_eq!(log.append(&records(&sizes)).unwrap().base_offset, end);
                    for (timestamp, _) in sizes {
                        model.push(Read { offset: end, timestamp, key: None });
                        end += 1;
                    }
                }
                Step::Reopen => {
                    log.close().unwrap();
    drop(log);
                    log = open(dir.path(), options);
                }
                Step::DeleteBefore(part) => {
                    let start = log.offsets().0;
                    let offset = start + ((end - start) as f64 * part) as i64;
                    prop_assert_eq!(log.delete_before(offset).unwrap(), Ok(offset));
                    model.retain(|record| record.offset >= offset);
                }
                Step::Shrink => {
                    log.shrink().unwrap();
                    let start = log.offsets().0;
                    model.retain(|record| record.offset >= start);
                }
                Step::Find(timestamp) => {
                    let found = log.find_time(timestamp).unwrap().map(|found| (found.offset, found.timestamp));
                    let first = model.iter().find(|record| record.timestamp >= timestamp);
                    prop_assert_eq!(found, first.map(|record| (record.offset, record.timestamp)));
                }
            }
            let (start, log_end) = log.offsets();
            prop_assert_eq!(log_end, end);
            prop_assert_eq!(&read_all(&log, start, bite), &model);
            prop_assert_eq!(log.bytes_from(end), Ok(0));
        }
    }

    #[test]
    fn a_log_that_is_cut_or_damaged_anywhere_loses_only_what_was_hit(
        sizes in prop::collection::vec(prop::collection::vec((0_i64..100, 0_usize..100), 1..4), 1..20),
        segment_bytes in 100_u64..2000,
        place in 0.0..1.0_f64,
        cut in any::<bool>(),
        closed in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes, ..KEEP_ALL };
        let log = open(dir.path(), options);
        for sizes in &sizes {
            log.append(&records(sizes)).unwrap();
        }
        let before = read_all(&log, 0, usize::MAX);
        let end = log.offsets().1;
        if closed {
            log.close().unwrap();
        }
        drop(log);
        let files = segments(dir.path());
        let index = (files.len() as f64 * place) as usize;
        let path = dir.path().join(&files[index]);
        let mut bytes = fs::read(&path).unwrap();
        let at = (bytes.len() as f64 * (place * 7.0).fract()) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 0x10 }
        fs::write(&path, &bytes).unwrap();

        let log = open(dir.path(), options);
        let next = log.offsets().1;
        prop_assert!(next >= end, "no offset is given twice");
        prop_assert!(!closed || next == end);
        let after = read_all(&log, 0, usize::MAX);
        // all that is left is what it was
        prop_assert!(after.iter().all(|read| before.contains(read)));
        let lost: Vec<_> = before.iter().filter(|read| !after.contains(read)).collect();
        if cut {
            let base_after = files.get(index + 1).map_or(end, |name| name[..20].parse().unwrap());
            let base: i64 = files[index][..20].parse().unwrap();
            prop_assert!(lost.iter().all(|read| (base..base_after).contains(&read.offset)));
        } else {
            prop_assert!(lost.len() <= 3, "one batch: {:?}", lost);
        }
        let (first, last) = (lost.first().map_or(0, |read| read.offset), lost.last().map_or(-1, |read| read.offset));
        prop_assert_eq!(last - first + 1, lost.len() as i64, "one stretch");
        prop_assert_eq!(log.append(&one(1, 1)).unwrap().base_offset, next);
        log.close().unwrap();
        drop(log);
        prop_assert_eq!(read_all(&open(dir.path(), options), 0, usize::MAX).len(), after.len() + 1);
    }
}
