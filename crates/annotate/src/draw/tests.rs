use super::*;
use frame::BoundingBox;
use proptest::prelude::*;

const GREY: u8 = 100;

fn blank(width: u32, height: u32) -> RgbImage {
    RgbImage::new(ImageSize { width, height }, vec![GREY; (width * height * 3) as usize]).unwrap()
}

fn mark(class_id: u32, text: &str, [x, y, width, height]: [f32; 4]) -> Mark {
    Mark { bounding_box: BoundingBox { x, y, width, height }, class_id, text: text.into() }
}

fn pixel(image: &RgbImage, x: u32, y: u32) -> Colour {
    image.data().as_chunks().0[(y * image.width() + x) as usize]
}

/// The tag that a mark alone gets, and its box.
fn areas(mark: &Mark, size: ImageSize) -> (Area, Area) {
    let area = Area::of(&mark.bounding_box, size).unwrap();
    (tags(&[(area, mark)], size, Style::for_picture(size)).remove(0).area, area)
}

#[test]
fn only_the_border_and_the_tag_change() {
    let cup = mark(41, "cup 62 %", [100.5, 60.2, 80.0, 90.0]);
    let image = draw(blank(320, 240), std::slice::from_ref(&cup));
    let (tag, area) = areas(&cup, image.size());
    assert_eq!(area, Area { left: 100, top: 60, right: 181, bottom: 151 });
    assert_eq!((tag.left, tag.bottom), (100, 60), "above");
    let colour = colour::of_class(41);
    let inner = Area { left: 102, top: 62, right: 179, bottom: 149 };
    for y in 0..240 {
        for x in 0..320 {
            let is_border = area.contains(x, y) && !inner.contains(x, y);
            let found = pixel(&image, x, y);
            if is_border && !tag.contains(x, y) {
                assert_eq!(found, colour, "{x} {y}");
            } else if !tag.contains(x, y) {
                assert_eq!(found, [GREY; 3], "{x} {y}");
            }
        }
    }
}

#[test]
fn a_tag_is_its_colour_with_text_in_it() {
    let size = ImageSize { width: 640, height: 480 };
    let dog = mark(1, "dog 81 %", [200.0, 200.0, 100.0, 100.0]);
    let image = draw(blank(size.width, size.height), std::slice::from_ref(&dog));
    let (tag, _) = areas(&dog, size);
    let (colour, ink) = (colour::of_class(1), colour::readable_on(colour::of_class(1)));
    let (mut filled, mut inked, mut between) = (0, 0, 0);
    for y in tag.top..tag.bottom {
        for x in tag.left..tag.right {
            match pixel(&image, x, y) {
                found if found == colour => filled += 1,
                found if found.iter().zip(ink).all(|(a, b)| a.abs_diff(b) < 48) => inked += 1,
                _ => between += 1,
            }
        }
    }
    let all = tag.width() * tag.height();
    assert!(filled > all / 3, "{filled} of {all}");
    assert!(inked > all / 40, "{inked} of {all}");
    assert!(between > all / 20, "anti-aliased: {between} of {all}");
    // the margins are free of ink
    for y in tag.top..tag.bottom {
        assert_eq!(pixel(&image, tag.left, y), colour);
        assert_eq!(pixel(&image, tag.right - 1, y), colour);
    }
}

#[test]
fn the_first_mark_is_on_top() {
    let same = [10.0, 30.0, 100.0, 100.0];
    let image = draw(blank(200, 200), &[mark(0, "", same), mark(1, "", same)]);
    assert_eq!(pixel(&image, 10, 80), colour::of_class(0));
    assert_eq!(pixel(&image, 10, 29), [GREY; 3], "no text, no tag");
}

#[test]
fn a_box_that_sticks_out_is_cut_to_the_picture() {
    let image = draw(blank(50, 40), &[mark(2, "", [-10.0, -1e9, 1e12, 2e9])]);
    for (x, y) in [(0, 0), (49, 0), (0, 39), (49, 39), (25, 0), (0, 20)] {
        assert_eq!(pixel(&image, x, y), colour::of_class(2));
    }
    assert_eq!(pixel(&image, 25, 20), [GREY; 3]);
    let outside = [[60.0, 0.0, 9.0, 9.0], [-9.0, 0.0, 9.0, 9.0], [5.0, 5.0, 0.0, 5.0]];
    for rectangle in outside {
        assert_eq!(draw(blank(50, 40), &[mark(2, "x", rectangle)]), blank(50, 40));
    }
}

#[test]
fn tiny_pictures_and_any_text_are_fine() {
    for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 2), (32, 32), (31, 9)] {
        for text in ["person 99 %", "", "猫🐈\u{202e}\n\0<img>", "é"] {
            let full = [0.0, 0.0, width as f32, height as f32];
            let image = draw(blank(width, height), &[mark(3, text, full)]);
            assert_eq!(image.size(), ImageSize { width, height });
            assert_ne!(image, blank(width, height));
        }
    }
}

#[test]
fn too_many_marks_are_not_all_drawn() {
    let many: Vec<Mark> = (0..5000).map(|_| mark(0, "x", [1.0, 1.0, 5.0, 5.0])).collect();
    let last = mark(1, "", [20.0, 20.0, 5.0, 5.0]);
    let image = draw(blank(30, 30), &[many, vec![last]].concat());
    assert_eq!(pixel(&image, 20, 20), [GREY; 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Any bits at all, NaN and infinities among them, and any text.
    #[test]
    fn no_box_and_no_text_makes_it_panic(
        boxes in prop::collection::vec(any::<[u32; 4]>(), 1..8),
        near in prop::collection::vec([-20f32..80.0, -20f32..80.0, -5f32..90.0, -5f32..90.0], 0..8),
        text: String, class_id: u32, width in 1u32..70, height in 1u32..70,
    ) {
        let boxes = boxes.into_iter().map(|bits| bits.map(f32::from_bits)).chain(near);
        let marks: Vec<Mark> = boxes.map(|rectangle| mark(class_id, &text, rectangle)).collect();
        let image = draw(blank(width, height), &marks);
        prop_assert_eq!(image.size(), ImageSize { width, height });
    }
}
