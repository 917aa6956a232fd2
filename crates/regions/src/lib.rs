//! Regions of interest: which parts of a camera's picture nobody may see (masks), and which have a
//! name (zones).
//!
//! They come from a file and from records of the settings topic, of which a camera's own wins over
//! the file until it is removed. The [`Book`] has what holds now; whoever has a picture in hand
//! blackens its masks (`vision::blacken`).

mod book;
mod error;
mod file;
mod masks;
mod records;
mod source;
mod topic;

pub use book::{Book, Known, Origin};
pub use error::RegionsError;
pub use file::RegionsFile;
pub use masks::{MAX_ALL_CORNERS, MAX_REGIONS, Mask, Regions};
pub use records::{RecordEnd, Records};
pub use source::RegionsSource;
