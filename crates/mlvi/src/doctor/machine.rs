//! Processor, memory, open files.

use super::finding::Finding;
use kernels::Isa;
use rustix::process::{Resource, getrlimit};
use unit::{Memory, MemorySource};

const MIB: u64 = 1 << 20;
/// What the suite takes in one process with YOLOv3-tiny, and some room for frames.
const ENOUGH_MEMORY: u64 = 768 * MIB;
/// Clients, connections to the broker and its files.
const ENOUGH_FILES: u64 = 4096;

pub(super) fn processor() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let seen = format!("{cores} cores, kernels for {}", Isa::best().name());
    if Isa::best() == Isa::PORTABLE {
        let mend = "nothing on this processor; a virtual machine may hide what its host has (CPU \
                    model `host`)";
        return Finding::doubtful(
            "processor",
            format!("{seen}: without vector instructions a frame takes several times as long"),
            mend,
        );
    }
    Finding::fine("processor", seen)
}

pub(super) fn memory() -> Finding {
    let Memory { bytes, source } = Memory::of_this_process();
    let of = match source {
        MemorySource::ControlGroup => "by the control group's limit",
        MemorySource::Machine => "in this machine",
        MemorySource::AddressSpace => "by the limit of the address space",
        MemorySource::Setting => "by MLVI_MEMORY_MIB",
        MemorySource::Unknown => "assumed, no limit can be read",
    };
    let seen = format!("{} MiB {of}", bytes / MIB);
    if bytes < ENOUGH_MEMORY {
        let mend = "MLVI_MODEL_PRECISION=int8 or MLVI_MODEL_KERNELS=small, and --model-threads 1";
        return Finding::doubtful("memory", format!("{seen}, which is little"), mend);
    }
    Finding::fine("memory", seen)
}

pub(super) fn descriptors() -> Finding {
    // the soft limit is raised to the hard one at the start
    match getrlimit(Resource::Nofile).maximum {
        Some(limit) if limit < ENOUGH_FILES => Finding::doubtful(
            "open files",
            format!("at most {limit}: few clients at a time"),
            format!("ulimit -Hn {ENOUGH_FILES}, or LimitNOFILE= of the service"),
        ),
        Some(limit) => Finding::fine("open files", format!("up to {limit}")),
        None => Finding::fine("open files", "without a limit"),
    }
}
