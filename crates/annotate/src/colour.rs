//! Colours that people can tell apart.

/// 8-bit red, green and blue (sRGB).
pub type Colour = [u8; 3];

pub(crate) const BLACK: Colour = [0, 0, 0];
pub(crate) const WHITE: Colour = [255, 255, 255];

/// The colours of Okabe and Ito (Color Universal Design, 2008), without black: those who see no red
/// or no green can tell them apart, too. Neighbours in the list differ in lightness.
const PALETTE: [Colour; 7] = [
    [230, 159, 0],   // orange
    [86, 180, 233],  // sky blue
    [213, 94, 0],    // vermilion
    [0, 158, 115],   // bluish green
    [240, 228, 66],  // yellow
    [0, 114, 178],   // blue
    [204, 121, 167], // reddish purple
];

/// The colour of a class; classes next to each other have different ones.
pub(crate) fn of_class(class_id: u32) -> Colour {
    PALETTE[class_id as usize % PALETTE.len()]
}

/// Black or white: what stands out more from the background.
pub(crate) fn readable_on(background: Colour) -> Colour {
    if contrast(BLACK, background) >= contrast(WHITE, background) { BLACK } else { WHITE }
}

/// 1 to 21 (WCAG 2.2, contrast ratio).
fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// 0 to 1 (WCAG 2.2, relative luminance).
fn luminance(colour: Colour) -> f64 {
    let [red, green, blue] = colour.map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4.5 is what WCAG asks for.
    #[test]
    fn text_can_be_read_on_every_colour() {
        for colour in PALETTE {
            assert!(contrast(readable_on(colour), colour) >= 4.5, "{colour:?}");
        }
        assert_eq!((readable_on(BLACK), readable_on(WHITE)), (WHITE, BLACK));
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn neighbours_differ_and_every_number_has_a_colour() {
        for class_id in (0..20).chain([u32::MAX - 1]) {
            assert_ne!(of_class(class_id), of_class(class_id + 1));
        }
    }
}
