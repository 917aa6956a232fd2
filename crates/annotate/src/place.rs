//! Where a tag goes.

use crate::area::Area;
use frame::ImageSize;

/// A tag of the size `tag` for a box: above it, else inside of it at its top, else below it, else
/// inside at its bottom; the first of these that lies in the picture and covers no other tag, or
/// else the first that lies in the picture. A tag that is larger than the picture is cut.
pub(crate) fn place(of: Area, tag: ImageSize, picture: ImageSize, taken: &[Area]) -> Area {
    let (width, height) = (tag.width.min(picture.width), tag.height.min(picture.height));
    let left = of.left.min(picture.width - width);
    let at = |top: u32| Area { left, top, right: left + width, bottom: top + height };
    let lowest = picture.height - height;
    let tops =
        [of.top.checked_sub(height), Some(of.top), Some(of.bottom), of.bottom.checked_sub(height)];
    let places = tops.into_iter().flatten().filter(|top| *top <= lowest).map(at);
    let is_free = |place: &Area| !taken.iter().any(|other| place.overlaps(other));
    places
        .clone()
        .find(is_free)
        .or_else(|| places.clone().next())
        .unwrap_or_else(|| at(of.top.min(lowest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: ImageSize = ImageSize { width: 100, height: 80 };
    const TAG: ImageSize = ImageSize { width: 30, height: 10 };

    fn area(left: u32, top: u32, right: u32, bottom: u32) -> Area {
        Area { left, top, right, bottom }
    }

    #[test]
    fn a_tag_stays_in_the_picture_and_off_other_tags() {
        let of = area(20, 30, 60, 60);
        let above = area(20, 20, 50, 30);
        assert_eq!(place(of, TAG, PICTURE, &[]), above);
        let inside = area(20, 30, 50, 40);
        assert_eq!(place(of, TAG, PICTURE, &[above]), inside);
        let below = area(20, 60, 50, 70);
        assert_eq!(place(of, TAG, PICTURE, &[above, inside]), below);
        let everywhere = area(0, 0, 100, 80);
        assert_eq!(place(of, TAG, PICTURE, &[everywhere]), above, "it goes somewhere");
        assert_eq!(place(area(0, 4, 9, 70), TAG, PICTURE, &[]), area(0, 4, 30, 14));
        assert_eq!(place(area(90, 30, 100, 60), TAG, PICTURE, &[]), area(70, 20, 100, 30));
        let large = ImageSize { width: 900, height: 900 };
        assert_eq!(place(of, large, PICTURE, &[]), everywhere);
        let high = ImageSize { width: 9, height: 79 };
        assert_eq!(place(of, high, PICTURE, &[]), area(20, 1, 29, 80));
    }
}
