//! Reads a frame out of a request's body, never more than the limit of it.

use crate::encoding::{check_part, check_request};
use crate::pending::{Place, Room};
use crate::problem::RequestError;
use axum::body::Body;
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use frame::{MAX_FRAME_BYTES, Timestamp};
use futures_util::StreamExt;
use std::time::{Duration, Instant};

/// The field that carries the image, as the clients of MLVideoInference (rdsea/IoTCloudSamples)
/// send it.
const IMAGE_FIELD: &str = "image";

/// What a multipart body may have besides the image: boundaries, part headers, fields that nobody
/// reads.
const MULTIPART_OVERHEAD: usize = 64 * 1024;

/// A frame's bytes as they came in.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    /// Its place among the frames on their way.
    pub(crate) place: Place,
    /// When its first byte came in.
    pub(crate) received_at: Timestamp,
    /// The same moment by the clock that never jumps.
    pub(crate) started: Instant,
}

/// Most frames are not larger, and larger ones get their room as they come in.
const MAX_FOR_A_CLAIM: usize = 256 * 1024;

/// Who sends a body more slowly than this, in bytes per second, …
const SLOWEST_BYTES_PER_S: f64 = 1024.0;
/// … for so long keeps a place from others for nothing: a mobile network that changes its cell is
/// back sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the multipart field `image`, or the whole body when it is not multipart. The body is left
/// unread as soon as there is a reason to refuse it, so the connection must be closed after a
/// refusal.
pub(crate) async fn receive(
    request: Request,
    room: &Room,
    timeout: Duration,
) -> Result<Upload, RequestError> {
    check_request(request.headers())?;
    let is_multipart = is_multipart(request.headers());
    let claimed = claimed_length(request.headers());
    let limit = if is_multipart { MAX_FRAME_BYTES + MULTIPART_OVERHEAD } else { MAX_FRAME_BYTES };
    if claimed.is_some_and(|bytes| bytes > limit as u64) {
        return Err(RequestError::TooLarge);
    }
    let mut intake = Intake {
        bytes: Vec::new(),
        place: room.enter()?,
        reserved: 0,
        first_byte: None,
        pace: Pace(PATIENCE),
    };
    if let Some(bytes) = claimed {
        // a claim alone takes only little room: silent connections must not keep others out
        intake.reserve(usize::try_from(bytes).unwrap_or(limit).min(MAX_FOR_A_CLAIM))?;
    }
    let read = async {
        if is_multipart {
            read_multipart(request, &mut intake).await
        } else {
            read_raw(request.into_body(), &mut intake).await
        }
    };
    tokio::time::timeout(timeout, read)
        .await
        .map_err(|_| RequestError::UploadTimeout(timeout))??;
    let Intake { bytes, place, first_byte, .. } = intake;
    let (received_at, started) =
        first_byte.filter(|_| !bytes.is_empty()).ok_or(RequestError::EmptyBody)?;
    Ok(Upload { bytes: bytes.into(), place, received_at, started })
}

/// A frame while it comes in.
struct Intake {
    bytes: Vec<u8>,
    place: Place,
    /// How many bytes its place has room for.
    reserved: usize,
    first_byte: Option<(Timestamp, Instant)>,
    pace: Pace,
}

/// How long the client may still leave us waiting, what it has sent in time set off.
struct Pace(Duration);

impl Pace {
    async fn next<T>(&mut self, next: impl Future<Output = T>) -> Result<T, RequestError> {
        let began = Instant::now();
        let came = tokio::time::timeout(self.0, next)
            .await
            .map_err(|_| RequestError::UploadStalled(PATIENCE))?;
        self.0 = self.0.saturating_sub(began.elapsed());
        Ok(came)
    }

    fn came(&mut self, bytes: usize) {
        let earned = Duration::from_secs_f64(bytes as f64 / SLOWEST_BYTES_PER_S);
        self.0 = self.0.saturating_add(earned).min(PATIENCE);
    }
}

impl Intake {
    fn reserve(&mut self, bytes: usize) -> Result<(), RequestError> {
        if bytes > self.reserved {
            self.place.grow(bytes - self.reserved)?;
            self.reserved = bytes;
            self.bytes.reserve_exact(bytes - self.bytes.len());
        }
        Ok(())
    }

    /// The first byte of the body came in, which may be one of a boundary.
    fn begin(&mut self) {
        self.first_byte.get_or_insert_with(|| (Timestamp::now(), Instant::now()));
    }

    fn push(&mut self, chunk: &Bytes) -> Result<(), RequestError> {
        self.begin();
        self.pace.came(chunk.len());
        let length = self.bytes.len() + chunk.len();
        if length > MAX_FRAME_BYTES {
            return Err(RequestError::TooLarge);
        }
        if length > self.reserved {
            // doubling keeps the copying linear where the length was not told
            self.reserve((2 * self.reserved).clamp(length, MAX_FRAME_BYTES))?;
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

async fn read_raw(body: Body, intake: &mut Intake) -> Result<(), RequestError> {
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = intake.pace.next(chunks.next()).await? {
        intake.push(&chunk.map_err(|error| RequestError::Interrupted(innermost(&error)))?)?;
    }
    Ok(())
}

/// The first field named `image` counts; the others are read and forgotten.
async fn read_multipart(mut request: Request, intake: &mut Intake) -> Result<(), RequestError> {
    DefaultBodyLimit::max(MAX_FRAME_BYTES + MULTIPART_OVERHEAD).apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| RequestError::MalformedMultipart(error.body_text()))?;
    let mut found = false;
    while let Some(mut field) = intake.pace.next(form.next_field()).await?.map_err(broken)? {
        intake.begin();
        let is_image = !found && field.name() == Some(IMAGE_FIELD);
        found |= is_image;
        if is_image {
            check_part(field.headers())?;
        }
        while let Some(chunk) = intake.pace.next(field.chunk()).await?.map_err(broken)? {
            if is_image {
                intake.push(&chunk)?;
            } else {
                intake.pace.came(chunk.len());
            }
        }
    }
    if found { Ok(()) } else { Err(RequestError::MissingImage) }
}

fn broken(error: MultipartError) -> RequestError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => RequestError::TooLarge,
        // the body itself failed, not its form
        StatusCode::INTERNAL_SERVER_ERROR => RequestError::Interrupted(innermost(&error)),
        _ => RequestError::MalformedMultipart(error.body_text()),
    }
}

/// The cause at the bottom: the layers above only say that reading failed.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

fn is_multipart(headers: &HeaderMap) -> bool {
    const PREFIX: &[u8] = b"multipart/";
    let content_type =
        headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    content_type.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn claimed_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, content) in parts {
            body.extend_from_slice(
                format!(
                    "--XX\r\nContent-Disposition: form-data; name=\"{name}\"; \
                    filename=\"f\"\r\n\r\n"
                )
                .as_bytes(),
            );
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--XX--\r\n");
        body
    }

    fn request(content_type: &str, body: impl Into<Body>) -> Request {
        Request::post("/").header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
    }

    fn multipart(body: impl Into<Body>) -> Request {
        request("multipart/form-data; boundary=XX", body)
    }

    fn in_chunks(body: Vec<u8>, size: usize) -> Body {
        let chunks: Vec<Result<Bytes, Infallible>> =
            body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    fn room() -> Room {
        Room::new(4, 64 * 1024 * 1024, std::time::Duration::from_secs(2))
    }

    async fn refusal(request: Request) -> String {
        receive(request, &room(), PATIENCE).await.unwrap_err().problem().kind
    }

    #[tokio::test]
    async fn raw_and_multipart_bodies_give_the_same_bytes() {
        let image = vec![7; 300_000];
        let body = form(&[
            ("note", b"ignored"),
            ("image", &image),
            ("image", b"a second one"),
            ("tail", b"ignored"),
        ]);
        for request in [
            request("image/jpeg", image.clone()),
            request("application/x-www-form-urlencoded", in_chunks(image.clone(), 1000)),
            multipart(body.clone()),
            request("Multipart/Form-Data; boundary=\"XX\"", in_chunks(body, 777)),
        ] {
            assert_eq!(receive(request, &room(), PATIENCE).await.unwrap().bytes, image);
        }
    }

    #[tokio::test]
    async fn what_is_no_upload_is_refused() {
        let cut = |parts: &[(&str, &[u8])]| form(parts)[..100].to_vec();
        for (request, kind) in [
            (request("image/jpeg", ""), "empty-body"),
            (multipart(form(&[("image", b"")])), "empty-body"),
            (multipart(form(&[("picture", b"abc")])), "missing-image"),
            (multipart(form(&[])), "missing-image"),
            (multipart(""), "malformed-multipart"),
            (multipart("no boundary at all"), "malformed-multipart"),
            (multipart(cut(&[("image", &[1; 200])])), "malformed-multipart"),
            (request("multipart/form-data", "x"), "malformed-multipart"),
            (request("multipart/x-mixed-replace; boundary=XX", "x"), "malformed-multipart"),
        ] {
            let shown = format!("{request:?}");
            assert_eq!(refusal(request).await, format!("/problems/{kind}"), "{shown}");
        }
        let broken = Body::from_stream(stream::iter([
            Ok(Bytes::from_static(b"abc")),
            Err(std::io::Error::other("gone")),
        ]));
        assert_eq!(refusal(request("image/jpeg", broken)).await, "/problems/upload-interrupted");
    }

    #[tokio::test]
    async fn the_limit_is_exact_and_needs_no_length() {
        let largest = vec![7; MAX_FRAME_BYTES];
        let over = vec![7; MAX_FRAME_BYTES + 1];
        for request in [
            request("image/jpeg", in_chunks(largest.clone(), 100_000)),
            multipart(in_chunks(form(&[("image", &largest)]), 100_000)),
        ] {
            assert_eq!(
                receive(request, &room(), PATIENCE).await.unwrap().bytes.len(),
                MAX_FRAME_BYTES
            );
        }
        for request in [
            request("image/jpeg", in_chunks(over.clone(), 100_000)),
            multipart(in_chunks(form(&[("image", &over)]), 100_000)),
            multipart(in_chunks(form(&[("other", &over), ("image", &largest)]), 100_000)),
        ] {
            assert_eq!(refusal(request).await, "/problems/frame-too-large");
        }
    }

    #[tokio::test]
    async fn a_length_that_is_too_large_is_refused_before_reading() {
        let unread = Body::from_stream(stream::once(async {
            panic!("the body was read") as Result<Bytes, Infallible>
        }));
        let request = Request::post("/")
            .header(header::CONTENT_LENGTH, MAX_FRAME_BYTES + 1)
            .body(unread)
            .unwrap();
        assert_eq!(refusal(request).await, "/problems/frame-too-large");
    }

    #[tokio::test]
    async fn room_is_taken_while_reading_and_given_back() {
        let small = Room::new(1, 1000, std::time::Duration::from_secs(2));
        let upload = receive(request("image/jpeg", vec![1; 600]), &small, PATIENCE).await.unwrap();
        let full = receive(request("image/jpeg", "x"), &small, PATIENCE).await.unwrap_err();
        assert_eq!(full.problem().status, 429);
        drop(upload);
        let full =
            receive(request("image/jpeg", vec![1; 1001]), &small, PATIENCE).await.unwrap_err();
        assert_eq!(full.problem().status, 429);
        assert_eq!(small.gauges().0.get(), 0);
    }

    #[tokio::test]
    async fn a_slow_upload_times_out() {
        let slow = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let refusal = receive(request("image/jpeg", slow), &room(), Duration::from_millis(1))
            .await
            .unwrap_err();
        assert_eq!(refusal.problem().status, 408);
    }

    #[tokio::test]
    async fn a_pace_that_is_kept_goes_on_and_one_that_is_not_ends() {
        let mut pace = Pace(Duration::from_millis(100));
        for _ in 0..4 {
            // 50 ms each, and as much is earned: far below the patience in all
            pace.next(tokio::time::sleep(Duration::from_millis(50))).await.unwrap();
            pace.came(1024);
            pace.0 = pace.0.min(Duration::from_millis(100));
        }
        let trickle = async {
            loop {
                pace.next(tokio::time::sleep(Duration::from_millis(20))).await?;
                pace.came(1);
            }
        };
        let ended: Result<(), RequestError> =
            tokio::time::timeout(Duration::from_secs(5), trickle).await.unwrap();
        assert_eq!(ended.unwrap_err().problem().kind, "/problems/upload-stalled");
    }
}
