//! Journeys of frames through the whole suite, with the real model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod bad_frames;
mod broker_absent;
mod broker_away;
mod cameras;
mod collector;
mod history;
mod largest_frame;
mod logs;
mod members;
mod offloading;
mod policy;
mod regions;
mod restarts;
mod secure;
mod terminated;
mod topics;
mod traces;
mod uploads;

/// Not a test by itself: the journeys start this very binary with it, to have a unit in a process
/// that they can kill.
#[test]
#[ignore = "run by the journeys that need a unit in a process of its own"]
fn a_unit_in_a_process_of_its_own() {
    journey_tests::be_the_unit();
}
