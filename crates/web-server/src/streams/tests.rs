//! The cutter: whatever the chunks, the frames come out as they went in.

use super::cutter::{Counts, Cutter, Framing};
use bytes::Bytes;
use frame::MAX_FRAME_BYTES;
use proptest::collection::vec;
use proptest::prelude::*;

/// What a camera may write.
#[derive(Clone, Debug)]
enum Piece {
    Frame(Vec<u8>),
    /// Bytes that are in no frame.
    Garbage(Vec<u8>),
    /// A frame whose last two bytes are missing.
    Endless(Vec<u8>),
}

/// Any bytes as a segment: a thumbnail, for instance.
fn segment() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![Just(0xE1), Just(0xC4), Just(0xFE), Just(0xDB)];
    let content = prop_oneof![
        vec(any::<u8>(), 0..40),
        Just(b"\xFF\xD8\xFF\xDA\x00\x02ab\xFF\xD9\xFF\xD8\xFF".to_vec()),
    ];
    (code, content).prop_map(|(code, content)| {
        let length = u16::try_from(content.len() + 2).unwrap();
        [&[0xFF, code], &length.to_be_bytes()[..], &content].concat()
    })
}

/// Entropy-coded data, stuffed and with restart markers.
fn scan() -> impl Strategy<Value = Vec<u8>> {
    let coded = prop_oneof![
        5 => any::<u8>().prop_map(|byte| if byte == 0xFF { vec![0xFF, 0] } else { vec![byte] }),
        1 => (0xD0..=0xD7_u8).prop_map(|code| vec![0xFF, code]),
    ];
    vec(coded, 1..60).prop_map(|coded| coded.concat())
}

fn jpeg() -> impl Strategy<Value = Vec<u8>> {
    let part = (vec(segment(), 0..3), scan()).prop_map(|(segments, scan)| {
        [segments.concat(), b"\xFF\xDA\x00\x03\x01".to_vec(), scan].concat()
    });
    (segment(), vec(part, 1..3)).prop_map(|(first, parts)| {
        [b"\xFF\xD8".to_vec(), first, parts.concat(), b"\xFF\xD9".to_vec()].concat()
    })
}

fn piece() -> impl Strategy<Value = Piece> {
    let garbage = vec(any::<u8>(), 1..50).prop_map(|mut bytes| {
        // no start of an image in it, nor half of one at its end
        bytes.iter_mut().filter(|byte| **byte == 0xD8).for_each(|byte| *byte = 0);
        bytes.push(b'.');
        bytes
    });
    prop_oneof![
        5 => jpeg().prop_map(Piece::Frame),
        1 => garbage.prop_map(Piece::Garbage),
        1 => jpeg().prop_map(Piece::Endless),
    ]
}

/// Cuts `stream`, which comes in chunks of these sizes, over and over.
fn cut(framing: Framing, stream: &[u8], sizes: &[usize]) -> (Vec<Vec<u8>>, Counts) {
    let (mut cutter, mut frames) = (Cutter::new(framing), Vec::new());
    let (mut rest, mut sizes) = (Bytes::copy_from_slice(stream), sizes.iter().cycle());
    while !rest.is_empty() {
        let size = rest.len().min(*sizes.next().unwrap());
        cutter.push(rest.split_to(size));
        while let Some(frame) = cutter.next_frame() {
            frames.push(frame.to_vec());
        }
    }
    cutter.finish();
    (frames, cutter.counts())
}

fn parts() -> Framing {
    Framing::of(b"multipart/x-mixed-replace; boundary=XX").unwrap()
}

fn part(body: &[u8], is_sized: bool) -> Vec<u8> {
    let length = if is_sized { format!("Content-Length: {}\r\n", body.len()) } else { "".into() };
    let head = format!("--XX\r\nContent-Type: image/jpeg\r\n{length}\r\n");
    [head.as_bytes(), body, b"\r\n"].concat()
}

proptest! {
    #[test]
    fn jpegs_come_out_as_they_went_in(
        pieces in vec(piece(), 0..8),
        sizes in vec(1..200_usize, 1..5),
    ) {
        let (mut kept, mut stream) = (Vec::new(), Vec::new());
        for piece in pieces.into_iter().rev() {
            // only the next image shows that one has no end
            let is_before_another = !matches!(kept.last(), None | Some(Piece::Garbage(_)));
            if is_before_another || !matches!(piece, Piece::Endless(_)) {
                kept.push(piece);
            }
        }
        let (mut expected, mut counts) = (Vec::new(), Counts::default());
        for piece in kept.into_iter().rev() {
            match piece {
                Piece::Frame(frame) => {
                    stream.extend_from_slice(&frame);
                    expected.push(frame);
                }
                Piece::Endless(frame) => {
                    stream.extend_from_slice(&frame[..frame.len() - 2]);
                    expected.push(frame);
                    counts.mended += 1;
                }
                Piece::Garbage(garbage) => {
                    stream.extend_from_slice(&garbage);
                    counts.skipped_bytes += garbage.len() as u64;
                }
            }
        }
        let (frames, counted) = cut(Framing::Jpegs, &stream, &sizes);
        prop_assert_eq!(frames, expected);
        prop_assert_eq!(counted, counts);
    }

    #[test]
    fn parts_come_out_as_they_went_in(
        frames in vec((jpeg(), any::<bool>()), 0..6),
        sizes in vec(1..200_usize, 1..5),
    ) {
        let stream: Vec<Vec<u8>> =
            frames.iter().map(|(frame, is_sized)| part(frame, *is_sized)).collect();
        let stream = [stream.concat(), b"--XX--\r\nan epilogue".to_vec()].concat();
        let (cut, counts) = cut(parts(), &stream, &sizes);
        prop_assert_eq!(cut, frames.into_iter().map(|(frame, _)| frame).collect::<Vec<_>>());
        prop_assert_eq!(counts, Counts::default());
    }

    #[test]
    fn nothing_makes_it_panic_and_no_byte_is_lost(
        stream in vec(
            prop_oneof![Just(0xFF), Just(0xD8), Just(0xD9), Just(0xDA), any::<u8>()],
            0..400,
        ),
        sizes in vec(1..50_usize, 1..4),
    ) {
        let (frames, counts) = cut(Framing::Jpegs, &stream, &sizes);
        let in_frames: usize = frames.iter().map(Vec::len).sum();
        prop_assert_eq!(
            in_frames as u64 + counts.skipped_bytes,
            stream.len() as u64 + 2 * counts.mended
        );
        cut(parts(), &stream, &sizes);
    }
}

const IMAGE: &[u8] = b"\xFF\xD8\xFF\xDA\x00\x02abc\xFF\xD9";

/// A JPEG of exactly that many bytes, with comments.
fn large(bytes: usize) -> Vec<u8> {
    let mut image = IMAGE[..2].to_vec();
    let mut missing = bytes - IMAGE.len();
    while missing > 0 {
        let step = if missing < 70_000 { missing.min(40_000) } else { 60_000 };
        image.extend_from_slice(&[0xFF, 0xFE]);
        image.extend_from_slice(&u16::try_from(step - 2).unwrap().to_be_bytes());
        image.resize(image.len() + step - 4, 0xD8);
        missing -= step;
    }
    image.extend_from_slice(&IMAGE[2..]);
    image
}

#[test]
fn a_frame_above_the_limit_is_passed_over() {
    let (largest, over) = (large(MAX_FRAME_BYTES), large(MAX_FRAME_BYTES + 1));
    let counts = Counts { skipped_bytes: over.len() as u64, too_large: 1, mended: 0 };
    let jpegs = [&over, &largest, IMAGE].concat();
    let found = cut(Framing::Jpegs, &jpegs, &[65_536]);
    assert_eq!((found.0.len(), found.1), (2, counts));
    assert!(found.0[0] == largest && found.0[1] == IMAGE);
    for is_sized in [true, false] {
        let stream =
            [part(&over, is_sized), part(&largest, is_sized), part(IMAGE, is_sized)].concat();
        let found = cut(parts(), &stream, &[65_536]);
        assert_eq!((found.0.len(), found.1), (2, counts), "{is_sized}");
    }
}

/// Text in which `#` stands for the image, and `%` for one without its end.
fn written(text: &str) -> Vec<u8> {
    let bytes = text.bytes().flat_map(|byte| match byte {
        b'#' => IMAGE.to_vec(),
        b'%' => IMAGE[..IMAGE.len() - 2].to_vec(),
        other => vec![other],
    });
    bytes.collect()
}

#[test]
fn what_cameras_write() {
    for (boundary, stream, frames, skipped) in [
        // ffmpeg -f mpjpeg
        (
            "ffmpeg",
            "--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 11\r\n\r\n#\r\n--ffmpeg\r\n",
            1,
            0,
        ),
        // mjpg-streamer, with a time stamp and an empty line before the boundary
        (
            "boundarydonotcross",
            "\r\n--boundarydonotcross\r\nContent-Length: 11\r\nX-Timestamp: 0.0\r\n\r\n#\r\n",
            1,
            0,
        ),
        // the delimiter named as the boundary, no line end behind the image
        ("--frame", "--frame\nContent-Type: image/jpeg\n\n#--frame\nA: b\n\n#", 2, 0),
        // a webcam that writes no end of the image: the second shows where the first is over
        ("x", "--x\r\nA: b\r\n\r\n%--x\r\n\r\n#", 2, 0),
        // a length that is too short: what is left is skipped
        ("x", "--x\r\nContent-Length: 11\r\n\r\n#more\r\n--x\r\nContent-Length: 11\r\n\r\n#", 2, 4),
        // parts that are no images and do not tell their length
        ("x", "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\n\r\n#", 1, 5),
        // an empty part
        ("x", "--x\r\nContent-Length: 0\r\n\r\n\r\n--x--", 0, 0),
    ] {
        let stream = written(stream);
        let framing =
            Framing::of(format!("multipart/x-mixed-replace; boundary={boundary}").as_bytes());
        let framing = framing.unwrap();
        for size in 1..stream.len() {
            let (found, counts) = cut(framing.clone(), &stream, &[size]);
            let shown = String::from_utf8_lossy(&stream).into_owned();
            assert!(found.iter().all(|frame| frame == IMAGE), "{shown}: {found:?}");
            assert_eq!((found.len(), counts.skipped_bytes), (frames, skipped), "{size} {shown}");
        }
    }
}

#[test]
fn a_frame_holds_little_more_memory_than_it_has_bytes() {
    for (bytes, framing) in
        [10_000, 40_000, 300_000].into_iter().flat_map(|n| [(n, Framing::Jpegs), (n, parts())])
    {
        let image = large(bytes);
        let stream = match framing {
            Framing::Jpegs => image.clone(),
            Framing::Parts { .. } => part(&image, true),
        };
        let mut cutter = Cutter::new(framing);
        let in_two = stream.chunks(bytes * 2 / 3).map(Bytes::copy_from_slice);
        let frames: Vec<Bytes> = in_two
            .filter_map(|chunk| {
                cutter.push(chunk);
                cutter.next_frame()
            })
            .collect();
        drop(cutter);
        let [frame] = <[Bytes; 1]>::try_from(frames).unwrap();
        assert!(frame == image);
        let held = frame.try_into_mut().unwrap().capacity();
        assert!(held <= 2 * bytes, "{held} for {bytes}");
    }
}

#[test]
fn a_frame_that_is_abandoned_is_skipped_to_its_end() {
    for framing in [Framing::Jpegs, parts()] {
        let image = |is_sized| match framing {
            Framing::Jpegs => IMAGE.to_vec(),
            Framing::Parts { .. } => part(IMAGE, is_sized),
        };
        for is_sized in [true, false] {
            let mut cutter = Cutter::new(framing.clone());
            let first = image(is_sized);
            let inside = first.len() - 4;
            cutter.push(Bytes::copy_from_slice(&first[..inside]));
            assert_eq!(cutter.next_frame(), None);
            assert!(cutter.is_in_frame());
            cutter.abandon();
            cutter.push(Bytes::copy_from_slice(&first[inside..]));
            cutter.push(Bytes::from(image(is_sized)));
            assert_eq!(cutter.next_frame().as_deref(), Some(IMAGE));
            assert_eq!(cutter.counts().skipped_bytes, IMAGE.len() as u64);
        }
    }
}
