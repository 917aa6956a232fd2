//! How much memory there is for this process, and what of it may be used for what.

use settings::Settings;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1 << 20;
/// Where no limit can be read: what every machine has.
const UNKNOWN: u64 = 1024 * MIB;
/// What a process has before its first frame: code, runtime, clients of the broker, and the weights
/// of a small model.
const BASE: u64 = 160 * MIB;
/// The least that pixels get: a frame of 4 megapixels at a time.
const LEAST_FOR_PIXELS: u64 = 48 * MIB;
/// Permits of the semaphore are KiB, lest the numbers become too large for it.
const PERMIT: u64 = 1024;

/// Whose limit it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemorySource {
    /// The control group's, as containers and systemd set it.
    ControlGroup,
    /// The machine's memory.
    Machine,
    /// The limit of the address space (`ulimit -v`).
    AddressSpace,
    /// `MLVI_MEMORY_MIB`.
    Setting,
    /// Nobody says.
    Unknown,
}

/// How much memory there is for this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// In bytes; the lowest of all limits.
    pub bytes: u64,
    /// Which limit that is.
    pub source: MemorySource,
}

impl Memory {
    /// Of this process, read once: limits that change later are not seen.
    #[must_use]
    pub fn of_this_process() -> Self {
        static MEMORY: LazyLock<Memory> =
            LazyLock::new(|| Memory::read(Path::new("/proc"), Path::new("/sys/fs/cgroup")));
        *MEMORY
    }

    /// Reads `MLVI_MEMORY_MIB`, from which the defaults of other settings are made.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let own = Self::of_this_process();
        let mib = settings.number(
            "MLVI_MEMORY_MIB",
            (own.bytes / MIB).clamp(32, 1 << 24),
            32..=1 << 24,
            "how much memory this unit may use, in MiB, from which bounds on frames follow; the \
             default is the limit of the control group or \
             what the machine has",
        );
        if mib == own.bytes / MIB {
            own
        } else {
            Self { bytes: mib * MIB, source: MemorySource::Setting }
        }
    }

    /// What is left for frames in all their forms, in bytes, after what a process needs anyway.
    #[must_use]
    pub fn for_frames(self) -> u64 {
        self.bytes.saturating_sub(BASE).max(self.bytes / 4)
    }

    /// How many bytes decoded pictures may have together, the copies that are made of them
    /// included.
    #[must_use]
    pub fn for_pixels(self) -> u64 {
        (self.for_frames() / 2).max(LEAST_FOR_PIXELS)
    }

    /// A share of what is left for frames, in bytes: a `part`-th of it, within these bounds.
    #[must_use]
    pub fn share(self, part: u64, least: u64, most: u64) -> u64 {
        (self.for_frames() / part.max(1)).clamp(least, most)
    }

    fn read(proc: &Path, groups: &Path) -> Self {
        let limits = [
            (control_group(proc, groups), MemorySource::ControlGroup),
            (address_space(proc), MemorySource::AddressSpace),
            (machine(proc), MemorySource::Machine),
        ];
        let limits =
            limits.into_iter().filter_map(|(bytes, source)| Some(Self { bytes: bytes?, source }));
        limits
            .min_by_key(|memory| memory.bytes)
            .unwrap_or(Self { bytes: UNKNOWN, source: MemorySource::Unknown })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            MemorySource::ControlGroup => "the control group's limit",
            MemorySource::Machine => "all of this machine's",
            MemorySource::AddressSpace => "the limit of the address space",
            MemorySource::Setting => "MLVI_MEMORY_MIB",
            MemorySource::Unknown => "a guess, since nothing says how much there is",
        };
        write!(f, "{} MiB ({source})", self.bytes / MIB)
    }
}

fn machine(proc: &Path) -> Option<u64> {
    let text = fs::read_to_string(proc.join("meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn address_space(proc: &Path) -> Option<u64> {
    let text = fs::read_to_string(proc.join("self/limits")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    // threads' stacks, mapped files and the allocator's reserves count there as well: a third is
    // what can be used
    line.split_whitespace().next()?.parse::<u64>().ok().map(|bytes| bytes / 3)
}

/// The lowest limit of the process's control group and those around it, of either version.
fn control_group(proc: &Path, groups: &Path) -> Option<u64> {
    let text = fs::read_to_string(proc.join("self/cgroup")).ok()?;
    let mut lowest = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (root, file) = if controllers.is_empty() {
            (groups.to_owned(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (groups.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let limits = up_to(&root, path).filter_map(|dir| limit(&dir.join(file)));
        lowest = limits.chain(lowest).min();
    }
    lowest
}

/// The group's folder and those around it. In a container the path may be that of the host: then
/// only the root is there.
fn up_to(root: &Path, path: &str) -> impl Iterator<Item = PathBuf> {
    let full = root.join(path.trim_start_matches('/'));
    let around: Vec<PathBuf> =
        full.ancestors().take_while(|dir| dir.starts_with(root)).map(Path::to_owned).collect();
    around.into_iter()
}

/// `None` for a file that is not there or says `max`. Version 1 says "none" by the largest number
/// of pages.
fn limit(file: &Path) -> Option<u64> {
    const NONE: u64 = 1 << 60;
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|bytes| *bytes < NONE)
}

/// Room for decoded pictures, shared by all units of the process.
#[derive(Clone, Debug)]
pub struct PixelRoom {
    room: Arc<Semaphore>,
    permits: u32,
}

impl PixelRoom {
    /// What a pixel takes at most while a frame is prepared, in bytes: a progressive JPEG's
    /// coefficients (6) or 16 bits of four channels (8), the picture (3), and a sharpened copy
    /// (3), of which one is gone before the other comes.
    pub const BYTES_PER_PIXEL: u64 = 12;

    /// Reads `MLVI_PIXELS_MIB`. Units of one process share one room: that of the first one.
    pub fn from_settings(settings: &mut Settings, memory: Memory) -> Self {
        static ROOM: OnceLock<PixelRoom> = OnceLock::new();
        let mib = settings.number(
            "MLVI_PIXELS_MIB",
            (memory.for_pixels() / MIB).max(1),
            1..=1 << 24,
            "how much decoded pictures may take together, in MiB; a larger one is decoded alone; \
             the default follows MLVI_MEMORY_MIB",
        );
        ROOM.get_or_init(|| Self::new(mib * MIB)).clone()
    }

    /// Of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        // what a tokio semaphore takes on a 32-bit machine, too: half a TiB
        let permits = u32::try_from(bytes / PERMIT).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { room: Arc::new(Semaphore::new(permits as usize)), permits }
    }

    /// How many pixels a picture may have to be prepared within so many bytes.
    #[must_use]
    pub fn largest_picture(bytes: u64) -> u64 {
        bytes / Self::BYTES_PER_PIXEL
    }

    /// Waits for room of `bytes`, given back when the permit is dropped. Whoever wants more than
    /// all of it gets all of it: such a picture is decoded alone.
    ///
    /// # Panics
    /// Never: nobody closes the semaphore.
    pub async fn take(&self, bytes: u64) -> OwnedSemaphorePermit {
        let permits =
            u32::try_from(bytes.div_ceil(PERMIT)).unwrap_or(u32::MAX).clamp(1, self.permits);
        Arc::clone(&self.room)
            .acquire_many_owned(permits)
            .await
            .expect("nobody closes the semaphore")
    }
}

#[cfg(test)]
mod tests;
