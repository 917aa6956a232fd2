//! Journeys of frames through the whole suite, with the real model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod bad_frames;
mod broker_away;
mod cameras;
mod offloading;
mod restarts;
mod uploads;
