//! The C library's allocator on a small box.

use crate::Memory;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Below this, what the allocator keeps for itself counts.
const SMALL: u64 = 2 << 30;
/// Whoever has set one of these has chosen.
const CHOSEN: [&str; 2] = ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"];
/// glibc gives threads arenas of their own, eight for each core, and keeps in each what was freed:
/// with frames of 5 MB that was 200 MB of 440. Two arenas, and whatever is larger than 256 KiB goes
/// back to the system at once.
const FRUGAL: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "262144"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// Where there is little memory, has the C library keep less of it. It reads that from the
/// environment before the program begins, so the program starts itself once more, as the same
/// process; to be called first in `main`. When that cannot be done, nothing changes.
pub fn frugal_allocator() {
    if !is_due(Memory::of_this_process(), |name| std::env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(&program);
    again
        .arg0(arguments.next().as_deref().unwrap_or(OsStr::new("mlvi")))
        .args(arguments)
        .envs(FRUGAL);
    // returns only when it fails, e.g. where the program's file is gone: then it goes on as it is
    drop(again.exec());
}

fn is_due(memory: Memory, is_set: impl Fn(&str) -> bool) -> bool {
    cfg!(target_env = "gnu") && memory.bytes < SMALL && !CHOSEN.into_iter().any(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySource;

    #[test]
    fn only_a_small_box_starts_again_and_only_once() {
        let of = |bytes| Memory { bytes, source: MemorySource::ControlGroup };
        assert_eq!(is_due(of(SMALL - 1), |_| false), cfg!(target_env = "gnu"));
        assert!(!is_due(of(SMALL), |_| false));
        for chosen in CHOSEN {
            assert!(!is_due(of(1 << 28), |name| name == chosen), "{chosen}");
        }
        assert!(
            !is_due(of(1 << 28), |name| FRUGAL.into_iter().any(|(set, _)| set == name)),
            "not for ever"
        );
    }
}
