//! What the outside of a file says, whatever its format.

use frame::ImageSize;
use std::borrow::Cow;

/// Size and orientation as they stand in the file; nothing in it was taken on trust: every length
/// was held against the file's own.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    /// As stored.
    pub(crate) size: ImageSize,
    pub(crate) metadata: Metadata<'a>,
}

/// Where an orientation may stand.
#[derive(Debug, Default)]
pub(crate) struct Metadata<'a> {
    /// A TIFF structure, possibly with `Exif\0\0` in front.
    pub(crate) exif: Option<Cow<'a, [u8]>>,
    /// A packet of XMP.
    pub(crate) xmp: Option<&'a [u8]>,
}
