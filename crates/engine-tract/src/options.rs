//! How networks are prepared.

use kernels::conv::{Method, Sides};
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
}

impl Default for Options {
    fn default() -> Self {
        Self { kernels: Kernels::default(), team: Team::alone(), isa: None }
    }
}

/// How convolutions are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kernels {
    /// With the fewest multiplications that pay: Winograd's where kernels are 3 × 3.
    #[default]
    Fast,
    /// From the weights as they are, which takes the least memory.
    Small,
    /// By tract itself.
    Tract,
}

/// Tiles of four by four outputs from which on F(4,3) pays; below, reading four times as many
/// weights takes longer than the multiplications that are saved.
const FEW_TILES: usize = 32;

impl Kernels {
    /// The method for a convolution of these sides in `batch` images at once.
    pub(crate) fn method(self, sides: &Sides, batch: usize) -> Method {
        let candidates = Method::candidates(sides);
        let has = |method: &Method| candidates.contains(method);
        let (height, width) = sides.output();
        let tiles = batch * height.div_ceil(4) * width.div_ceil(4);
        let wanted = match self {
            Self::Small | Self::Tract => Method::Direct,
            Self::Fast if tiles >= FEW_TILES => Method::Winograd4,
            Self::Fast => Method::Winograd2,
        };
        if has(&wanted) { wanted } else { candidates.first().copied().unwrap_or(Method::Direct) }
    }
}
