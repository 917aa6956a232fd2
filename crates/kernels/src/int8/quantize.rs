//! Planes of numbers become bytes.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::isa::Level;
use super::{Int8Isa, Layout};

/// Numbers from 0 to 1 become bytes from 0 to 255: what an image's bytes were before they became
/// numbers. `planes` are at most four; the border becomes 0.
///
/// # Panics
/// When there are more planes than four, or a slice does not have the length of the layout.
pub fn quantize(isa: Int8Isa, planes: &[f32], layout: Layout, to: &mut [u8]) {
    let area = layout.size().area();
    let count = planes.len() / area;
    assert!(count <= layout.stride() && layout.stride() == 4, "at most four planes");
    assert_eq!(planes.len(), count * area, "whole planes");
    assert_eq!(to.len(), layout.bytes(), "the output's bytes");
    let width = layout.size().width;
    for (y, start) in (0..layout.size().height).map(|y| (y, y * width)) {
        let mut rows: [&[f32]; 4] = [&[]; 4];
        for (row, plane) in rows.iter_mut().zip(planes.chunks_exact(area)) {
            *row = &plane[start..][..width];
        }
        let to = to[layout.row_at(y)].as_chunks_mut::<4>().0;
        match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni(isa) => avx512::quantize(isa, &rows[..count], to),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) | Level::AvxVnni(_) => portable(&rows[..count], to),
            #[cfg(target_arch = "aarch64")]
            Level::Neon(_) | Level::DotProd(_) | Level::I8mm(_) => portable(&rows[..count], to),
            Level::Portable => portable(&rows[..count], to),
        }
    }
    layout.surround(to, 0);
}

/// One row.
pub(super) fn portable(rows: &[&[f32]], to: &mut [[u8; 4]]) {
    for (x, pixel) in to.iter_mut().enumerate() {
        *pixel = [0; 4];
        for (byte, row) in pixel.iter_mut().zip(rows) {
            // an integer by the addition, which also takes what is no number to 0
            *byte = super::portable::rounded((row[x].max(0.0) * 255.0).min(255.0)) as u8;
        }
    }
}
