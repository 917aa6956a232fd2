//! An output in strips of rows, one for each piece of work.

use super::Layout;

/// Rows of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strip {
    layout: Layout,
    first: usize,
    rows: usize,
}

impl Strip {
    /// The first row.
    pub(super) fn first(self) -> usize {
        self.first
    }

    /// How many rows there are.
    pub(super) fn rows(self) -> usize {
        self.rows
    }

    /// Of all rows.
    pub(super) fn width(self) -> usize {
        self.layout.size().width
    }

    /// Where a pixel begins within the strip's bytes; `y` counts through all rows.
    pub(super) fn at(self, y: usize, x: usize) -> usize {
        (y - self.first) * self.layout.row() + (x + self.layout.border()) * self.layout.stride()
    }
}

/// Strips of `most` rows, at least one, with their bytes: the borders to the left and the right are
/// in them, those above and below in none.
pub(super) fn cut(layout: Layout, most: usize, bytes: &mut [u8]) -> Vec<(Strip, &mut [u8])> {
    let (row, edge) = (layout.row(), layout.border() * layout.row());
    let inside = &mut bytes[edge..][..layout.size().height * row];
    let strip = |(index, bytes): (usize, _)| {
        let bytes: &mut [u8] = bytes;
        (Strip { layout, first: index * most, rows: bytes.len() / row }, bytes)
    };
    inside.chunks_mut(most * row).enumerate().map(strip).collect()
}
