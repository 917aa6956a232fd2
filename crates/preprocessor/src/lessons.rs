//! Keeps what was learned of each camera's frames as small records of the settings topic, so that
//! whoever decides on them next finds it again: this unit after a restart, or the replica that gets
//! the camera's partition.
//!
//! Each record is of one camera, and is written by the replica that decides on its frames and has
//! learned more since. A camera goes from one replica to another, and both may have learned more than
//! the record that they began with; so each record tells when the last lesson was noticed, and the
//! later one counts. Whoever reads a record that is later than its own last lesson goes on from it,
//! and has nothing to write; an earlier one is passed over.

use crate::decisions::Decisions;
use crate::settings_topic::SettingsTopic;
use frame::{Expiring, InvalidLessons, LessonsRecord};
use frame_bus::{Outgoing, SendError};
use futures_util::future::join_all;
use offload::{FEATURES_LAYOUT, KeptLessons, Learned};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How often it is looked for what is worth writing.
const EVERY: Duration = Duration::from_secs(5);
/// No more records are written each time: 4 kB a second.
const MOST: usize = 50;
/// So many are on their way at once at the end.
const AT_ONCE: usize = 100;
/// A camera of which nothing was learned for so long is gone.
const VALID: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long writing it may take at the end.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Writes what was learned.
pub(crate) struct LessonsKeeper {
    pub(crate) topic: SettingsTopic,
    pub(crate) decisions: Decisions,
}

impl LessonsKeeper {
    /// Goes on until `stop`, and writes what is left then.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let mut refused = false;
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let Some(written) = stop.run_until_cancelled(self.write(false)).await else { break };
            match written {
                Ok(()) => refused = false,
                Err(error) if !std::mem::replace(&mut refused, true) => {
                    warn!(%error, "what was learned is not kept: it is lost at a restart");
                }
                Err(error) => debug!(%error, "what was learned is still not kept"),
            }
        }
        match tokio::time::timeout(LAST_WORD, self.write(true)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "what was learned last is lost"),
            Err(_) => debug!("what was learned last is lost"),
        }
    }

    async fn write(&self, last: bool) -> Result<(), SendError> {
        if !self.topic.is_there() {
            return Ok(());
        }
        // of thousands of cameras it takes a millisecond to find them
        let decisions = self.decisions.clone();
        let kept = tokio::task::spawn_blocking(move || decisions.to_keep(last)).await;
        let mut kept = kept.unwrap_or_default();
        if !last {
            kept.truncate(MOST);
        }
        let mut all = Ok(());
        for some in kept.chunks(AT_ONCE) {
            // one that is not written keeps no other from being so
            let written = join_all(some.iter().map(|one| self.write_one(one))).await;
            all = written.into_iter().fold(all, Result::and);
        }
        all
    }

    async fn write_one(&self, kept: &KeptLessons) -> Result<(), SendError> {
        let (topic, key) = (self.topic.spec.name.clone(), LessonsRecord::key_of(&kept.camera));
        let record = record_of(kept);
        let out = Outgoing { topic, key, headers: Vec::new(), payload: record.to_json() };
        self.topic.bus.send(out).await?;
        // it will be read again, too; until then it is not written twice
        self.decisions.keep(kept.clone());
        Ok(())
    }
}

fn record_of(kept: &KeptLessons) -> LessonsRecord {
    let KeptLessons { camera, measure, lessons, learned_at } = kept;
    let weights = (FEATURES_LAYOUT, short(measure));
    let record = LessonsRecord::new(camera.clone(), weights, *lessons, VALID);
    LessonsRecord { learned_at: *learned_at, ..record }
}

/// As it is kept: five digits are plenty, and few bytes.
fn short(measure: &Learned) -> Vec<f32> {
    let short = |weight: &f32| format!("{weight:.4e}").parse().unwrap_or_default();
    measure.weights.iter().map(short).collect()
}

/// What a record says.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn read(
    key: &str,
    value: &[u8],
) -> Result<(KeptLessons, LessonsRecord), InvalidLessons> {
    let record = LessonsRecord::read(key, value)?;
    if record.layout != FEATURES_LAYOUT {
        return Err(InvalidLessons::Layout(record.layout));
    }
    let weights = record.weights.as_slice().try_into().map_err(|_| InvalidLessons::Range)?;
    let (camera, measure) = (record.camera.clone(), Learned { weights });
    let (lessons, learned_at) = (record.lessons, record.learned_at);
    Ok((KeptLessons { camera, measure, lessons, learned_at }, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{CameraId, Timestamp};

    #[test]
    fn a_record_is_small_and_one_of_other_weights_is_named() {
        let mut measure = Learned::UNFITTED;
        measure.weights = measure.weights.map(|weight| weight - 0.123_456_79);
        let gate: CameraId = "gate".parse().unwrap();
        let (lessons, learned_at) = (123_456, Timestamp::from_micros(1_790_000_000_000_000));
        let record = record_of(&KeptLessons { camera: gate.clone(), measure, lessons, learned_at });
        assert!(record.to_json().len() < 500, "{}", record.to_json().len());
        let key = LessonsRecord::key_of(&gate);
        let (kept, _) = read(&key, &record.to_json()).unwrap();
        assert_eq!((kept.camera, kept.lessons, kept.learned_at), (gate, lessons, learned_at));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-4;
        assert!(kept.measure.weights.iter().zip(&measure.weights).all(near));
        let other = LessonsRecord { layout: FEATURES_LAYOUT + 1, ..record.clone() };
        let problem = read(&key, &other.to_json()).unwrap_err();
        assert_eq!(problem, InvalidLessons::Layout(FEATURES_LAYOUT + 1));
        let fewer = LessonsRecord { weights: vec![1.0; 3], ..record };
        assert_eq!(read(&key, &fewer.to_json()).unwrap_err(), InvalidLessons::Range);
    }
}
