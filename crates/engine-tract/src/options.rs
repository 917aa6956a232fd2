//! How networks are prepared.

use kernels::{Isa, Team};

/// How networks are prepared.
#[derive(Clone, Debug)]
pub struct Options {
    /// How convolutions are computed.
    pub kernels: Kernels,
    /// The threads that share one run.
    pub team: Team,
    /// The instructions that convolutions use; `None` for the best that the processor has.
    pub isa: Option<Isa>,
    /// Whether convolutions round what they multiply to bfloat16 where that pays.
    pub bfloat16: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { kernels: Kernels::default(), team: Team::alone(), isa: None, bfloat16: false }
    }
}

/// How convolutions are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kernels {
    /// By the quickest method; where that depends on the machine, a trial of a few milliseconds
    /// tells. All trials of a process take a quarter of a second at most.
    #[default]
    Auto,
    /// As [`Kernels::Auto`] without trials: the same on every machine with the same instructions.
    Table,
    /// From the weights as they are, which takes the least memory.
    Small,
    /// By tract itself.
    Tract,
}
