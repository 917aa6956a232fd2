//! Pixels that are painted on.

use crate::area::Area;
use crate::colour::Colour;
use frame::{ImageSize, RgbImage};

/// A picture that is being painted.
pub(crate) struct Canvas {
    size: ImageSize,
    pixels: Vec<u8>,
}

impl Canvas {
    pub(crate) fn new(picture: RgbImage) -> Self {
        Self { size: picture.size(), pixels: picture.into_data() }
    }

    pub(crate) fn finish(self) -> RgbImage {
        RgbImage::new(self.size, self.pixels).expect("as many pixels as before")
    }

    pub(crate) fn size(&self) -> ImageSize {
        self.size
    }

    pub(crate) fn fill(&mut self, area: Area, colour: Colour) {
        let width = self.size.width as usize;
        let rows = self.pixels.as_chunks_mut().0.chunks_exact_mut(width);
        for row in rows.take(area.bottom as usize).skip(area.top as usize) {
            row[area.left as usize..area.right as usize].fill(colour);
        }
    }

    /// The border of an area, inwards, `thickness` pixels wide; all of the area when it is as thin.
    pub(crate) fn outline(&mut self, area: Area, thickness: u32, colour: Colour) {
        let Area { left, top, right, bottom } = area;
        let (wide, high) = (thickness.min(area.width()), thickness.min(area.height()));
        self.fill(Area { bottom: top + high, ..area }, colour);
        self.fill(Area { top: bottom - high, ..area }, colour);
        self.fill(Area { right: left + wide, ..area }, colour);
        self.fill(Area { left: right - wide, ..area }, colour);
    }

    /// Lays a colour over a pixel, of which `coverage` (0 to 1) is covered; the caller keeps within
    /// the picture.
    pub(crate) fn cover(&mut self, x: u32, y: u32, colour: Colour, coverage: f32) {
        let index = y as usize * self.size.width as usize + x as usize;
        let Some(pixel) = self.pixels.as_chunks_mut::<3>().0.get_mut(index) else { return };
        for (below, above) in pixel.iter_mut().zip(colour) {
            let (under, over) = (f32::from(*below), f32::from(above));
            *below = (under + (over - under) * coverage).round() as u8;
        }
    }
}
