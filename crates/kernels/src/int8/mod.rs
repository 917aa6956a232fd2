//! Layers on bytes: convolutions with 8-bit weights, and what stands between them.
//!
//! An activation x is the byte `round(x / scale) + zero`, a weight a signed byte with a scale for
//! each filter. A convolution sums products of bytes exactly, in 32 bits, and brings the sums to
//! the scale of its output in one step with bias and activation. Every version of a kernel gives
//! the same bytes: sums are integers, and what follows is rounded at the same places.

mod add;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod convolution;
mod depthwise;
mod finish;
mod isa;
mod layout;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod quantize;
mod shape;
mod strips;
mod tiles;

pub use add::Sum;
pub use convolution::{Convolution, Filters, Step, Target};
pub use depthwise::{Depthwise, DepthwiseFilters};
pub use isa::Int8Isa;
pub use layout::Layout;
pub use quantize::quantize;
pub use shape::{Window, channels, concat, max_pool, upsample};
