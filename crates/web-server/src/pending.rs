//! Room for frames between upload and result: taken before a body is read, given back with the
//! result.

use crate::pace::{Pace, TooLong};
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts frames on their way and their bytes; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    max_frames: usize,
    max_bytes: usize,
    taken: Mutex<Taken>,
    pace: Mutex<Pace>,
    frames_gauge: Gauge,
    bytes_gauge: Gauge,
}

#[derive(Debug, Default)]
struct Taken {
    frames: usize,
    bytes: usize,
}

/// One frame's place; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place {
    room: Room,
    bytes: usize,
    /// Whether its frame is complete and waits for its turn.
    waits: bool,
}

/// Bytes that a stream holds; they count as those of frames on their way.
#[derive(Debug)]
pub(crate) struct Hold {
    room: Room,
    bytes: usize,
}

/// There is no room for another frame, or for this one's next bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Too many frames.
    #[error("{0} frames are on their way already (MLVI_MAX_PENDING_FRAMES)")]
    Frames(usize),
    /// Too many bytes.
    #[error("the frames on their way fill {} MiB already \
        (MLVI_MAX_PENDING_MIB)", .0 / (1024 * 1024))]
    Bytes(usize),
    /// It would wait for too long.
    #[error("{} frames wait, which is longer than MLVI_MAX_EXPECTED_WAIT as fast as results \
        come", .0.waiting)]
    Wait(TooLong),
}

impl Room {
    pub(crate) fn new(max_frames: usize, max_bytes: usize, max_wait: Duration) -> Self {
        let (frames_gauge, bytes_gauge) = (Gauge::default(), Gauge::default());
        let pace = Mutex::new(Pace::new(max_wait, Instant::now()));
        Self {
            inner: Arc::new(Inner {
                max_frames,
                max_bytes,
                taken: Mutex::default(),
                pace,
                frames_gauge,
                bytes_gauge,
            }),
        }
    }

    /// A place for one more frame, without bytes yet.
    pub(crate) fn enter(&self) -> Result<Place, Full> {
        let inner = &*self.inner;
        // before a body is read in vain
        inner.pace(|pace| pace.admits(Instant::now())).map_err(Full::Wait)?;
        inner.change(|taken| {
            if taken.frames >= inner.max_frames {
                return Err(Full::Frames(inner.max_frames));
            }
            taken.frames += 1;
            Ok(())
        })?;
        Ok(Place { room: self.clone(), bytes: 0, waits: false })
    }

    /// For bytes that are held before they are a frame; none yet.
    pub(crate) fn hold(&self) -> Hold {
        Hold { room: self.clone(), bytes: 0 }
    }

    /// The first result of a frame was seen; `ours` when the frame came in here.
    pub(crate) fn answered(&self, ours: bool) {
        self.inner.pace(|pace| pace.answered(ours, Instant::now()));
    }

    /// How many results were counted.
    pub(crate) fn results(&self) -> u64 {
        self.inner.pace(|pace| pace.results())
    }

    /// What the broker says of all frames that are not finished; `None` when it does not say.
    pub(crate) fn behind(&self, frames: Option<u64>, now: Instant) {
        self.inner.pace(|pace| pace.behind(frames, now));
    }

    /// How long a frame that is taken now is expected to wait, in seconds; `None` when not known.
    pub(crate) fn expected_wait_s(&self) -> Option<f64> {
        self.inner.pace(|pace| pace.expected_wait_s(Instant::now()))
    }

    /// Frames on their way, and their bytes, as gauges that follow.
    pub(crate) fn gauges(&self) -> (Gauge, Gauge) {
        (self.inner.frames_gauge.clone(), self.inner.bytes_gauge.clone())
    }
}

impl Place {
    /// The frame is complete and waits for its turn from now on, if that comes soon enough: others
    /// may have come in meanwhile.
    pub(crate) fn wait(&mut self) -> Result<(), Full> {
        let now = Instant::now();
        self.room
            .inner
            .pace(|pace| pace.admits(now).map(|()| pace.taken(now)))
            .map_err(Full::Wait)?;
        self.waits = true;
        Ok(())
    }

    /// Room for `bytes` more of this frame.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let inner = &*self.room.inner;
        inner.change(|taken| {
            if taken.bytes + bytes > inner.max_bytes {
                return Err(Full::Bytes(inner.max_bytes));
            }
            taken.bytes += bytes;
            Ok(())
        })?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.inner.change(|taken| {
            taken.frames -= 1;
            taken.bytes -= self.bytes;
        });
        if self.waits {
            self.room.inner.pace(|pace| pace.left(Instant::now()));
        }
    }
}

impl Hold {
    /// That many bytes are held now; fewer always have room.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Full> {
        let (held, max) = (self.bytes, self.room.inner.max_bytes);
        if bytes == held {
            return Ok(());
        }
        self.room.inner.change(|taken| {
            let others = taken.bytes - held;
            if bytes > held && others + bytes > max {
                return Err(Full::Bytes(max));
            }
            taken.bytes = others + bytes;
            Ok(())
        })?;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.room.inner.change(|taken| taken.bytes -= self.bytes);
    }
}

impl Inner {
    fn pace<T>(&self, apply: impl FnOnce(&mut Pace) -> T) -> T {
        apply(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, apply: impl FnOnce(&mut Taken) -> T) -> T {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = apply(&mut taken);
        self.frames_gauge.set(i64::try_from(taken.frames).unwrap_or(i64::MAX));
        self.bytes_gauge.set(i64::try_from(taken.bytes).unwrap_or(i64::MAX));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_places_come_back() {
        let room = Room::new(2, 100, Duration::from_secs(2));
        let (frames, bytes) = room.gauges();
        let mut first = room.enter().unwrap();
        first.grow(60).unwrap();
        assert_eq!(first.grow(41), Err(Full::Bytes(100)));
        let mut second = room.enter().unwrap();
        second.grow(40).unwrap();
        assert_eq!(room.enter().unwrap_err(), Full::Frames(2));
        assert_eq!((frames.get(), bytes.get()), (2, 100));
        drop(first);
        assert_eq!((frames.get(), bytes.get()), (1, 40));
        room.enter().unwrap().grow(60).unwrap();
        drop(second);
        assert_eq!((frames.get(), bytes.get()), (0, 0));
    }

    #[test]
    fn what_a_stream_holds_counts_too() {
        let room = Room::new(2, 100, Duration::from_secs(2));
        let mut hold = room.hold();
        hold.set(60).unwrap();
        let mut place = room.enter().unwrap();
        assert_eq!(place.grow(41), Err(Full::Bytes(100)));
        place.grow(40).unwrap();
        assert_eq!(hold.set(61), Err(Full::Bytes(100)));
        hold.set(10).unwrap();
        assert_eq!(room.gauges().1.get(), 50);
        drop((hold, place));
        assert_eq!(room.gauges().1.get(), 0);
    }

    #[test]
    fn only_frames_that_wait_keep_others_out() {
        let room = Room::new(1000, 1000, Duration::from_secs(2));
        let mut places: Vec<Place> = (0..200).map(|_| room.enter().unwrap()).collect();
        let waiting = places.iter_mut().map_while(|place| place.wait().ok()).count();
        assert_eq!(waiting, 50, "as long as no rate is known");
        assert!(matches!(room.enter(), Err(Full::Wait(TooLong { waiting: 50, .. }))));
        drop(places);
        assert!(room.enter().is_ok());
    }
}
