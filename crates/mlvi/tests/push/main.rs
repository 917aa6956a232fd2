//! `mlvi push` as a process of its own, with a stand-in for the suite and mostly one for ffmpeg.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a helper of tests may panic and print as tests do"
)]

mod endings;
mod esp32;
mod ffmpeg;
mod list;
mod outputs;
mod process;
mod real;
mod rtsp;
mod suite;
