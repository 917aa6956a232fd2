//! Responses to bytes.

use super::{Call, api_versions};
use crate::connection::Hangup;
use crate::files::lock;
use crate::wire::Header;
use bytes::{BufMut, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ResponseHeader};
use kafka_protocol::protocol::Encodable;
use std::collections::HashSet;
use std::sync::Mutex;
use tracing::warn;

/// Length and correlation id, and the end of a flexible header.
const HEAD: usize = 9;
/// Above this, encoding (which copies) would hold up other connections for longer than moving to
/// another thread takes.
const INLINE_BYTES: usize = 512 * 1024;
/// So many different requests that are not on offer are logged.
const MAX_NOTED: usize = 100;

/// The whole frame of a response.
pub(super) async fn encode<R: Encodable + Send + Sync + 'static>(
    call: &Call<'_>,
    response: R,
) -> Result<BytesMut, Hangup> {
    let (version, correlation_id) = (call.version, call.correlation_id);
    let header_version = call.api.response_header_version(version);
    let size = response.compute_size(version).map_err(cannot_encode)?;
    let encode = move || {
        frame(correlation_id, header_version, size, |frame| response.encode(frame, version))
    };
    if size > INLINE_BYTES { call.node.blocking(move |_| encode()).await? } else { encode() }
}

fn cannot_encode(error: impl std::fmt::Display) -> Hangup {
    Hangup::Encode(error.to_string())
}

fn frame<E: std::fmt::Display>(
    correlation_id: i32,
    header_version: i16,
    size: usize,
    body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<BytesMut, Hangup> {
    let mut frame = BytesMut::with_capacity(size + HEAD);
    frame.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut frame, header_version).map_err(cannot_encode)?;
    body(&mut frame).map_err(cannot_encode)?;
    let len = i32::try_from(frame.len() - 4).map_err(cannot_encode)?;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    Ok(frame)
}

/// The answer to what is not on offer. For ApiVersions the protocol has one: the list, as version 0
/// has it. For others there is no common form; the error code alone is as good as it gets, and
/// better than a connection that is cut without a word.
pub(super) fn unsupported(header: &Header) -> Result<BytesMut, Hangup> {
    let error = ResponseError::UnsupportedVersion.code();
    if header.api_key == ApiKey::ApiVersions as i16 {
        let response = api_versions::list().with_error_code(error);
        return frame(header.correlation_id, 0, HEAD, |frame| response.encode(frame, 0));
    }
    note_unsupported(header);
    frame(header.correlation_id, 0, HEAD, |frame| {
        frame.put_i16(error);
        Ok::<_, std::convert::Infallible>(())
    })
}

/// Logs each request that is not on offer once.
fn note_unsupported(header: &Header) {
    static NOTED: Mutex<Option<HashSet<(i16, i16)>>> = Mutex::new(None);
    let mut noted = lock(&NOTED);
    let noted = noted.get_or_insert_default();
    if noted.len() < MAX_NOTED && noted.insert((header.api_key, header.version)) {
        let api = ApiKey::try_from(header.api_key).ok();
        warn!(
            api_key = header.api_key,
            ?api,
            api_version = header.version,
            "a client asks for an api that is not on offer"
        );
    }
}
