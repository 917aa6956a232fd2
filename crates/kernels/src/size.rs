//! Width and height.

/// Sides of a plane or an image, in pixels or cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// From left to right.
    pub width: usize,
    /// From top to bottom.
    pub height: usize,
}

impl Size {
    /// Pixels or cells in all.
    ///
    /// # Panics
    /// When they cannot be counted in a `usize`.
    #[must_use]
    pub fn area(self) -> usize {
        self.width.checked_mul(self.height).expect("more cells than an address space has")
    }
}
