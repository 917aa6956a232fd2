//! Limits as machines, containers and shells set them, in played `/proc` and `/sys/fs/cgroup`.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const MEMINFO: &str = "MemTotal:       16384000 kB\nMemFree:          100 kB\n";
const UNLIMITED: &str = "Max cpu time              unlimited            unlimited            \
    seconds\n\
                         Max address space         unlimited            unlimited            \
                         bytes\n";

/// Paths and texts.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A folder that goes with it.
struct Played(PathBuf);

impl Played {
    fn with(files: Files<'_>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("mlvi-memory-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        for (path, text) in files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn memory(&self) -> Memory {
        Memory::read(&self.0.join("proc"), &self.0.join("cgroup"))
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn the_lowest_limit_counts() {
    use MemorySource::{AddressSpace, ControlGroup, Machine, Unknown};
    let machine = ("proc/meminfo", MEMINFO);
    let unlimited = ("proc/self/limits", UNLIMITED);
    let v1 = ("proc/self/cgroup", "4:memory:/a/b\n2:cpu:/\n0::/\n");
    let v2 = ("proc/self/cgroup", "0::/kubepods/pod1\n");
    let cases: &[(&str, Files, u64, MemorySource)] = &[
        ("nothing is said", &[], UNKNOWN, Unknown),
        ("a machine", &[machine, unlimited], 16_384_000 * 1024, Machine),
        (
            "version 1",
            &[machine, v1, ("cgroup/memory/a/b/memory.limit_in_bytes", "471859200\n")],
            471_859_200,
            ControlGroup,
        ),
        (
            "version 1 without a limit",
            &[machine, v1, ("cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n")],
            16_384_000 * 1024,
            Machine,
        ),
        (
            "a limit of the group around it",
            &[
                machine,
                v1,
                ("cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
                ("cgroup/memory/a/memory.limit_in_bytes", "1000000000\n"),
            ],
            1_000_000_000,
            ControlGroup,
        ),
        (
            "version 1 in a container, whose path is the host's",
            &[machine, v1, ("cgroup/memory/memory.limit_in_bytes", "500000000\n")],
            500_000_000,
            ControlGroup,
        ),
        (
            "version 2",
            &[machine, v2, ("cgroup/kubepods/pod1/memory.max", "536870912\n")],
            536_870_912,
            ControlGroup,
        ),
        (
            "version 2 says max, the group around it does not",
            &[
                machine,
                v2,
                ("cgroup/kubepods/pod1/memory.max", "max\n"),
                ("cgroup/kubepods/memory.max", "800000000\n"),
            ],
            800_000_000,
            ControlGroup,
        ),
        (
            "version 2 in a container",
            &[machine, ("proc/self/cgroup", "0::/\n"), ("cgroup/memory.max", "300000000\n")],
            300_000_000,
            ControlGroup,
        ),
        (
            "a limit above what there is",
            &[machine, v2, ("cgroup/memory.max", "99999999999999\n")],
            16_384_000 * 1024,
            Machine,
        ),
        (
            "ulimit -v",
            &[
                machine,
                ("proc/self/limits", "Max address space         3000000000 4000000000 bytes\n"),
            ],
            1_000_000_000,
            AddressSpace,
        ),
    ];
    for (what, files, bytes, source) in cases {
        assert_eq!(
            Played::with(files).memory(),
            Memory { bytes: *bytes, source: *source },
            "{what}"
        );
    }
}

#[test]
fn shares_stay_below_what_there_is() {
    for mib in [64, 128, 256, 450, 512, 1024, 4096, 1 << 20] {
        let memory = Memory { bytes: mib * MIB, source: MemorySource::ControlGroup };
        assert!(memory.for_pixels() < memory.bytes, "{mib}");
        assert!(memory.share(8, 1, u64::MAX) <= memory.bytes / 4, "{mib}");
    }
    let small = Memory { bytes: 450 * MIB, source: MemorySource::ControlGroup };
    assert_eq!(small.share(1, MIB, 2 * MIB), 2 * MIB);
}

#[tokio::test]
async fn pictures_wait_for_room_and_a_giant_is_alone() {
    let room = PixelRoom::new(10 * MIB);
    let waits = |bytes| {
        let room = room.clone();
        async move { tokio::time::timeout(Duration::from_millis(20), room.take(bytes)).await.is_err() }
    };
    let first = room.take(6 * MIB).await;
    assert!(!waits(4 * MIB).await);
    assert!(waits(5 * MIB).await);
    assert!(waits(u64::MAX).await, "all of it is not free");
    drop(first);
    let giant = room.take(u64::MAX).await;
    assert!(waits(1).await, "the giant is alone");
    drop(giant);
}
