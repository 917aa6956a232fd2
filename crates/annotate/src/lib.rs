//! Draws detections on a picture, for people to look at: boxes in the colours of their classes, and
//! labels such as `cup 62 %` in anti-aliased text on a filled tag.
//!
//! Everything here is synchronous and pure. A picture of 640×480 takes well below a millisecond,
//! beside which decoding and encoding it count: call it where those are done.

mod area;
mod canvas;
mod clip;
mod colour;
mod draw;
mod mark;
mod place;
mod style;
mod text;

/// The font of the labels: DejaVu Sans with Latin, Greek, Cyrillic and common punctuation.
pub static FONT: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");

pub use clip::clip;
pub use colour::Colour;
pub use draw::draw;
pub use mark::{Mark, marks};
