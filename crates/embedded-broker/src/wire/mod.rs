//! Requests from bytes, without trusting them.

mod requests;
#[cfg(test)]
pub(crate) mod samples;
mod shape;
#[cfg(test)]
mod tests;

use crate::connection::Hangup;
use bytes::{Buf, Bytes};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::Decodable;
use shape::Walk;

/// What every request begins with.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

/// Takes the fields that all versions of the request header share.
pub(crate) fn header(frame: &mut Bytes) -> Result<Header, Hangup> {
    let short = |_| Hangup::Malformed("a request without a header");
    Ok(Header {
        api_key: frame.try_get_i16().map_err(short)?,
        version: frame.try_get_i16().map_err(short)?,
        correlation_id: frame.try_get_i32().map_err(short)?,
    })
}

/// Takes the rest of the header of a request that is known: the client's name for itself.
pub(crate) fn client_id(frame: &mut Bytes, api: ApiKey, version: i16) -> Result<String, Hangup> {
    let malformed = |_| Hangup::Malformed("a request with a malformed header");
    let len =
        frame.try_get_i16().map_err(|_| Hangup::Malformed("a request without a client id"))?;
    let len = usize::try_from(len).unwrap_or(0); // −1 is null
    if len > frame.remaining() {
        return Err(Hangup::Malformed("a request with a malformed header"));
    }
    let id = String::from_utf8_lossy(&frame.split_to(len)).into_owned();
    if is_flexible(api, version) {
        let mut walk = Walk::new(frame, true);
        walk.tags().map_err(malformed)?;
        let taken = frame.len() - walk.remaining();
        frame.advance(taken);
    }
    Ok(id)
}

/// Decodes the body of a request whose key and version are on offer.
///
/// The codec reserves memory for as many items as an array claims to have, so a few bytes could
/// claim all there is: the body's shape is checked first.
pub(crate) fn body<T: Decodable>(mut frame: Bytes, api: ApiKey, version: i16) -> Result<T, Hangup> {
    let shape = requests::shape(api).ok_or(Hangup::Malformed("a request that cannot be read"))?;
    let mut walk = Walk::new(&frame, is_flexible(api, version));
    walk.fields(shape, version).map_err(|_| Hangup::Malformed("a malformed request"))?;
    T::decode(&mut frame, version).map_err(|_| Hangup::Malformed("a malformed request"))
}

/// Whether a version uses compact lengths and tagged fields (KIP-482).
fn is_flexible(api: ApiKey, version: i16) -> bool {
    api.request_header_version(version) >= 2
}
