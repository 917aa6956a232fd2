//! How this process is told apart from all others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// A number that no other process has, nor the same process after a restart.
pub(crate) fn this_process() -> u64 {
    // the standard library's only source of random numbers
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    *PROCESS
}

/// How the client id of a group's member ends, so that others can tell whether its process still
/// runs.
pub(crate) fn client_id_ending(process: u64) -> String {
    format!("-{process:016x}")
}
