//! The only crate that names image codecs: decode under limits, sharpen, encode.
//!
//! Everything here is synchronous and pure: bytes in, pixels out. A 640×480 frame takes
//! milliseconds, so call it from a thread of its own, never from async code; [`probe`] alone is
//! cheap enough for that.

mod blacken;
mod decode;
mod encode;
mod error;
mod exif;
mod jpeg;
mod limits;
mod orientation;
mod outline;
mod png;
mod preview;
mod probe;
mod resize;
mod sharpen;
mod turbo;
mod webp;

pub use blacken::blacken;
pub use decode::decode;
pub use encode::{encode_jpeg, encode_png};
pub use error::VisionError;
pub use limits::Limits;
pub use preview::{narrowed, preview};
pub use probe::{Probed, probe};
pub use resize::resize;
pub use sharpen::sharpen;
