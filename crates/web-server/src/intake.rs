//! Checks a frame before it is accepted, without decoding it.

use crate::problem::RequestError;
use bytes::Bytes;
use frame::ImageFormat;
use vision::{Limits, probe};

/// Probing touches each byte once, at about 0.1 ms per megabyte; larger frames must not hold up the
/// async threads for that.
const PROBE_ELSEWHERE: usize = 4 * 1024 * 1024;

/// The image's format, told by its bytes. Refuses what is no image, is cut off, contradicts itself,
/// or has too many pixels.
pub(crate) async fn check(bytes: &Bytes, max_pixels: u64) -> Result<ImageFormat, RequestError> {
    let limits = Limits { max_pixels };
    let probed = if bytes.len() > PROBE_ELSEWHERE {
        let bytes = bytes.clone();
        let task = tokio::task::spawn_blocking(move || probe(&bytes, &limits));
        task.await
            .map_err(|error| RequestError::Internal(format!("probing the frame failed: {error}")))?
    } else {
        probe(bytes, &limits)
    };
    Ok(probed?.format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{ImageSize, RgbImage};

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let pixels = (0..width * height * 3).map(|n| (n % 251) as u8).collect();
        vision::encode_jpeg(&RgbImage::new(ImageSize { width, height }, pixels).unwrap(), 90)
            .unwrap()
    }

    #[tokio::test]
    async fn each_bad_image_has_its_status() {
        let good = jpeg(64, 48);
        let cases: [(&str, Vec<u8>, u16, &str); 6] = [
            ("text", b"hello".to_vec(), 415, "not-an-image"),
            ("gif", b"GIF89a rest".to_vec(), 415, "not-an-image"),
            ("magic only", good[..3].to_vec(), 422, "undecodable-frame"),
            ("half", good[..good.len() / 2].to_vec(), 422, "undecodable-frame"),
            ("without its end", good[..good.len() - 2].to_vec(), 422, "undecodable-frame"),
            ("too large", jpeg(101, 100), 422, "too-many-pixels"),
        ];
        for (name, bytes, status, kind) in cases {
            let problem = check(&bytes.into(), 100 * 100).await.unwrap_err().problem();
            assert_eq!(
                (problem.status, problem.kind),
                (status, format!("/problems/{kind}")),
                "{name}"
            );
        }
        assert_eq!(check(&good.into(), 100 * 100).await.unwrap(), ImageFormat::Jpeg);
    }

    #[tokio::test]
    async fn a_large_file_is_checked_all_the_same() {
        let mut padded = jpeg(64, 48);
        padded.truncate(padded.len() - 2);
        padded.resize(PROBE_ELSEWHERE + 1, 0);
        assert_eq!(check(&padded.into(), 10_000).await.unwrap_err().problem().status, 422);
    }
}
