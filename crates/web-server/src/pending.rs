//! Room for frames between upload and result: taken before a body is read, given back with the result.

use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Mutex, PoisonError};

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
}

/// There is no room for another frame, or for this one's next bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Too many frames.
    #[error("{0} frames are on their way already (MLVI_MAX_PENDING_FRAMES)")]
    Frames(usize),
    /// Too many bytes.
    #[error("the frames on their way fill {} MiB already (MLVI_MAX_PENDING_MIB)", .0 / (1024 * 1024))]
    Bytes(usize),
}

impl Room {
    pub(crate) fn new(max_frames: usize, max_bytes: usize) -> Self {
        let (frames_gauge, bytes_gauge) = (Gauge::default(), Gauge::default());
        Self { inner: Arc::new(Inner { max_frames, max_bytes, taken: Mutex::default(), frames_gauge, bytes_gauge }) }
    }

    /// A place for one more frame, without bytes yet.
    pub(crate) fn enter(&self) -> Result<Place, Full> {
        let inner = &*self.inner;
        inner.change(|taken| {
            if taken.frames >= inner.max_frames {
                return Err(Full::Frames(inner.max_frames));
            }
            taken.frames += 1;
            Ok(())
        })?;
        Ok(Place { room: self.clone(), bytes: 0 })
    }

    /// Frames on their way, and their bytes, as gauges that follow.
    pub(crate) fn gauges(&self) -> (Gauge, Gauge) {
        (self.inner.frames_gauge.clone(), self.inner.bytes_gauge.clone())
    }
}

impl Place {
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
    }
}

impl Inner {
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
        let room = Room::new(2, 100);
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
}
