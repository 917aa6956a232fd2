//! The records of the settings topic, as a table tells of them.

use crate::Book;
use frame::{CameraId, SettingRecord, camera_of_regions_key};
use std::collections::HashMap;
use std::sync::Arc;
use tracing::{error, info};

/// Takes in what one client reads of the settings topic. A client that begins anew reads the whole
/// topic again, where older records may come before newer ones: until it has caught up, nothing of
/// that is acted upon, and what held before still does.
#[derive(Debug)]
pub struct Records {
    book: Arc<Book>,
    /// The last record of each camera; `None` once this client has caught up.
    early: Option<HashMap<CameraId, (Vec<u8>, i64)>>,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordEnd {
    /// It holds.
    Used,
    /// It cannot be used.
    Refused,
    /// It was taken back.
    Removed,
}

impl Records {
    /// Of a client that begins to read.
    #[must_use]
    pub fn new(book: Arc<Book>) -> Self {
        Self { book, early: Some(HashMap::new()) }
    }

    /// A key has this value from now on. `None` when it is no camera's, or while the client has not
    /// caught up.
    pub fn set(&mut self, key: &str, value: &[u8], offset: i64) -> Option<RecordEnd> {
        let camera = camera_of_regions_key(key)?;
        if let Some(early) = &mut self.early {
            early.insert(camera, (value.to_vec(), offset));
            return None;
        }
        Some(used(&self.book, &camera, value, offset, false))
    }

    /// A key has no value any more.
    pub fn removed(&mut self, key: &str) -> Option<RecordEnd> {
        let camera = camera_of_regions_key(key)?;
        if let Some(early) = &mut self.early {
            early.remove(&camera);
            return None;
        }
        removed(&self.book, &camera)
    }

    /// The client has read everything that was there: it counts from now on, and records that it
    /// has not seen are gone.
    pub async fn caught_up(&mut self) -> Vec<RecordEnd> {
        let Some(early) = self.early.take() else { return Vec::new() };
        let book = Arc::clone(&self.book);
        // thousands of records take a while to read
        let taking_in = tokio::task::spawn_blocking(move || {
            let at_start = !book.is_read();
            let gone = book.recorded().into_iter().filter(|camera| !early.contains_key(camera));
            let mut ends: Vec<RecordEnd> =
                gone.filter_map(|camera| removed(&book, &camera)).collect();
            for (camera, (value, offset)) in &early {
                ends.push(used(&book, camera, value, *offset, at_start));
            }
            book.has_been_read();
            ends
        });
        // it fails only when the runtime ends
        taking_in.await.unwrap_or_default()
    }
}

fn used(book: &Book, camera: &CameraId, value: &[u8], offset: i64, at_start: bool) -> RecordEnd {
    match book.record(camera, value, at_start) {
        Ok(SettingRecord { changed_by, changed_at, note, .. }) => {
            let (changed_at, note) = (changed_at.as_micros(), note.unwrap_or_default());
            info!(
                %camera,
                revision = offset, changed_by, changed_at, note,
                "masks and zones hold as a settings record says"
            );
            RecordEnd::Used
        }
        Err(problem) if at_start => {
            error!(
                %camera,
                revision = offset,
                error = problem,
                "the settings record of the camera's masks and zones cannot be used: all of its \
                 picture is black until there is one that can"
            );
            RecordEnd::Refused
        }
        Err(problem) => {
            error!(
                %camera,
                revision = offset,
                error = problem,
                "the settings record of the camera's masks and zones cannot be used, what held \
                 before still does"
            );
            RecordEnd::Refused
        }
    }
}

fn removed(book: &Book, camera: &CameraId) -> Option<RecordEnd> {
    book.record_removed(camera).then(|| {
        info!(%camera, "the settings record of the camera's masks and zones is gone");
        RecordEnd::Removed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Regions, RegionsFile};
    use frame::regions_key;

    const MASK: &str = "{\"masks\":[{\"points\":[[0,0],[1,0],[1,1]]}]}";

    fn camera(name: &str) -> CameraId {
        name.parse().unwrap()
    }

    fn key(name: &str) -> String {
        regions_key(&camera(name))
    }

    fn record(value: &str) -> Vec<u8> {
        SettingRecord::new(value.into(), "a test".into(), None).to_json()
    }

    fn book() -> Arc<Book> {
        let file = b"[[cameras.gate.zones]]\nname = 'mat'\npoints = [[0, 0], [1, 0], [1, 1]]";
        Arc::new(Book::new(RegionsFile::from_toml(file).unwrap()))
    }

    #[tokio::test]
    async fn a_record_wins_until_it_is_gone_and_a_broken_one_changes_nothing() {
        let book = book();
        let mut records = Records::new(book.clone());
        assert_eq!(records.set(&key("gate"), &record("{}"), 1), None);
        assert_eq!(records.set(&key("gate"), &record(MASK), 2), None);
        assert_eq!(records.set("policy", b"x", 3), None);
        assert_eq!(book.with_origin(&camera("gate")).1, Origin::File, "nothing is read yet");
        assert!(!book.is_read());
        assert_eq!(records.caught_up().await, [RecordEnd::Used]);
        assert!(book.is_read() && book.is_masked(&camera("gate")) && book.has_masks());

        for broken in [b"no JSON".to_vec(), record("{\"masks\":1}")] {
            assert_eq!(records.set(&key("gate"), &broken, 4), Some(RecordEnd::Refused));
            assert_eq!(records.set(&key("door"), &broken, 5), Some(RecordEnd::Refused));
        }
        assert!(book.is_masked(&camera("gate")));
        assert_eq!(book.with_origin(&camera("door")).1, Origin::Nothing);
        // a record that sets nothing wins, too
        assert_eq!(records.set(&key("gate"), &record("{}"), 6), Some(RecordEnd::Used));
        assert_eq!((book.of(&camera("gate")), book.has_masks()), (None, false));
        assert_eq!(records.removed(&key("gate")), Some(RecordEnd::Removed));
        assert_eq!(book.of(&camera("gate")).unwrap().zones[0].name.as_str(), "mat");
        assert_eq!(records.removed(&key("gate")), None);
    }

    #[tokio::test]
    async fn what_a_process_cannot_read_at_its_start_is_all_black() {
        let book = book();
        let mut records = Records::new(book.clone());
        records.set(&key("gate"), b"of another release", 1);
        assert_eq!(records.caught_up().await, [RecordEnd::Refused]);
        assert_eq!(*book.of(&camera("gate")).unwrap(), Regions::all_black());
        assert_eq!(records.set(&key("gate"), &record(MASK), 2), Some(RecordEnd::Used));
        assert_ne!(*book.of(&camera("gate")).unwrap(), Regions::all_black());
    }

    #[tokio::test]
    async fn a_client_that_begins_anew_drops_what_has_gone_meanwhile() {
        let book = book();
        let mut records = Records::new(book.clone());
        records.set(&key("gate"), &record(MASK), 1);
        records.set(&key("door"), &record(MASK), 2);
        records.caught_up().await;
        let mut anew = Records::new(book.clone());
        // of before, as the topic may still hold it
        assert_eq!(anew.set(&key("door"), &record("{}"), 0), None);
        anew.set(&key("door"), &record(MASK), 2);
        assert!(book.is_masked(&camera("gate")) && book.is_masked(&camera("door")));
        assert_eq!(anew.caught_up().await, [RecordEnd::Removed, RecordEnd::Used]);
        assert!(!book.is_masked(&camera("gate")) && book.is_masked(&camera("door")));
    }
}
