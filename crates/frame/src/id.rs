//! Names of frames and cameras.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The name of one frame: a UUIDv7, so that ids sort by the time at which the frame was received.
///
/// To clients it is the job's UUID. Sixteen of its random bits are a check value that [`JobIds`]
/// reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameId(Uuid);

/// A text that is no UUID.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a UUID")]
pub struct InvalidFrameId(String);

impl FrameId {
    /// A fresh id for a frame received now.
    #[must_use]
    pub fn fresh() -> Self {
        JobIds::sign(Uuid::now_v7())
    }

    /// As 16 bytes, in the order of its text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From its 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The bound between ids made before a time, in milliseconds since the epoch, and those made
    /// from it on; no frame's id.
    #[must_use]
    pub fn from_then_on(ms: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&ms.min((1 << 48) - 1).to_be_bytes()[2..]);
        Self::from_bytes(bytes)
    }

    /// When the id was made, in milliseconds since the epoch; `None` if it is no UUIDv7.
    #[must_use]
    pub fn made_at_ms(self) -> Option<u64> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(seconds * 1000 + u64::from(nanos) / 1_000_000)
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FrameId {
    type Err = InvalidFrameId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidFrameId(text.into()))
    }
}

/// Tells the ids that some web-server replica gave out from any other UUID, without shared state.
///
/// A client may ask any replica for its job, also one that never saw the upload, or one that was
/// restarted since. The last 16 bits of an id are a hash of the rest, so a replica can answer
/// *pending* to an id of ours and *unknown* to a made-up one (of which one in 65,536 is mistaken
/// for ours). This is a courtesy, not a secret.
pub struct JobIds;

impl JobIds {
    /// Whether the id is one that [`FrameId::fresh`] made.
    #[must_use]
    pub fn is_ours(id: FrameId) -> bool {
        id.0.get_version_num() == 7 && Self::sign(id.0) == id
    }

    fn sign(uuid: Uuid) -> FrameId {
        let mut bytes = *uuid.as_bytes();
        let check = fnv1a(&bytes[..14]);
        bytes[14..].copy_from_slice(&check.to_be_bytes());
        FrameId(Uuid::from_bytes(bytes))
    }
}

/// FNV-1a (64 bits, folded to 16): <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fnv1a(bytes: &[u8]) -> u16 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    ((hash >> 48) ^ (hash >> 32) ^ (hash >> 16) ^ hash) as u16
}

/// The name of a camera: 1 to 64 characters out of `A–Z a–z 0–9 . _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraId(String);

/// A text that cannot name a camera.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' cannot name a camera: use 1 to 64 characters out of A-Z a-z 0-9 . _ -")]
pub struct InvalidCameraId(String);

impl CameraId {
    /// The camera of uploads that name none. Its frames have no order among themselves.
    #[must_use]
    pub fn unnamed() -> Self {
        Self("unnamed".into())
    }

    /// Whether this is the camera of uploads that name none.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.0 == "unnamed"
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Kafka key of a frame of this camera: the camera, so that its frames stay in order;
    /// frames that name no camera spread by their id.
    #[must_use]
    pub fn key_of(&self, frame_id: FrameId) -> String {
        if self.is_unnamed() { frame_id.to_string() } else { self.to_string() }
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CameraId {
    type Error = InvalidCameraId;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name))
        } else {
            Err(InvalidCameraId(name))
        }
    }
}

impl From<CameraId> for String {
    fn from(camera: CameraId) -> Self {
        camera.0
    }
}

impl FromStr for CameraId {
    type Err = InvalidCameraId;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::try_from(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_ours_are_known_and_others_are_not() {
        for _ in 0..1000 {
            let id = FrameId::fresh();
            assert!(JobIds::is_ours(id), "{id}");
            let reread: FrameId = id.to_string().parse().unwrap();
            assert_eq!(reread, id);
        }
        let foreign = (0..10_000).filter(|_| JobIds::is_ours(FrameId(Uuid::now_v7()))).count();
        assert!(foreign < 10, "{foreign} of 10,000 foreign ids passed for ours");
        assert!(!JobIds::is_ours(FrameId(Uuid::nil())));
    }

    #[test]
    fn ids_carry_their_time() {
        let now = crate::Timestamp::now().as_micros() / 1000;
        let made = FrameId::fresh().made_at_ms().unwrap();
        assert!(made.abs_diff(now) < 5_000, "{made} against {now}");
    }

    #[test]
    fn a_time_parts_the_ids_before_it_from_those_after() {
        let id = FrameId::fresh();
        let made = id.made_at_ms().unwrap();
        assert!(FrameId::from_then_on(made) <= id && id < FrameId::from_then_on(made + 1));
        assert_eq!(FrameId::from_bytes(*id.as_bytes()), id);
        assert!(FrameId::from_then_on(u64::MAX) > id);
    }

    #[test]
    fn camera_names_are_checked() {
        for good in ["a", "gate-3", "site_1.cam-2", &"x".repeat(64)] {
            assert!(good.parse::<CameraId>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<CameraId>().is_err(), "{bad}");
        }
    }
}
