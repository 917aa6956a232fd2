//! Whether a frame's bytes come as they are.
//!
//! Images are compressed already, so nothing is unpacked here: a body under another coding is
//! refused by name, before its bytes are taken for a broken image.

use crate::problem::RequestError;
use crate::query::shortened;
use axum::http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName};

const CONTENT_TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// Refuses a request whose body is encoded in any way but chunked.
pub(crate) fn check_request(headers: &HeaderMap) -> Result<(), RequestError> {
    let transfer = said(headers, &TRANSFER_ENCODING);
    // the server undoes the last coding, which is `chunked`; those below it would be left on
    if transfer.as_deref().is_some_and(|coding| coding != "chunked") {
        return Err(RequestError::TransferCoding(shortened(&transfer.unwrap_or_default())));
    }
    check(headers, &CONTENT_ENCODING, "Content-Encoding", &["identity"])
}

/// Refuses a part of a multipart body that is encoded: base64 is what mail programs make of it.
pub(crate) fn check_part(headers: &HeaderMap) -> Result<(), RequestError> {
    check(headers, &CONTENT_ENCODING, "Content-Encoding", &["identity"])?;
    // these three leave the bytes as they are (RFC 2045, section 6.2)
    check(
        headers,
        &CONTENT_TRANSFER_ENCODING,
        "Content-Transfer-Encoding",
        &["binary", "8bit", "7bit"],
    )
}

fn check(
    headers: &HeaderMap,
    name: &HeaderName,
    header: &'static str,
    plain: &[&str],
) -> Result<(), RequestError> {
    let Some(codings) = said(headers, name) else { return Ok(()) };
    if codings.split(", ").all(|coding| plain.contains(&coding)) {
        return Ok(());
    }
    Err(RequestError::Encoded { header, value: shortened(&codings) })
}

/// All codings that the lines of this header list, in small letters; `None` when there are none.
fn said(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers
        .get_all(name)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase());
    let codings: Vec<String> = lines
        .flat_map(|line| line.split(',').map(|coding| coding.trim().to_owned()).collect::<Vec<_>>())
        .filter(|coding| !coding.is_empty())
        .collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_leaves_the_bytes_alone_passes() {
        for lines in [
            &[][..],
            &[("content-encoding", "identity")],
            &[("content-encoding", " Identity ,IDENTITY")],
            &[("content-encoding", "")],
            &[("transfer-encoding", "chunked"), ("content-encoding", "identity")],
            &[("transfer-encoding", "Chunked")],
        ] {
            assert!(check_request(&headers(lines)).is_ok(), "{lines:?}");
        }
        for value in ["binary", "8BIT", "7bit"] {
            assert!(
                check_part(&headers(&[("content-transfer-encoding", value)])).is_ok(),
                "{value}"
            );
        }
    }

    #[test]
    fn any_other_coding_is_named() {
        for value in [
            "gzip",
            "GZIP",
            "deflate",
            "br",
            "zstd",
            "x-gzip",
            "compress",
            "aes128gcm",
            "nonsense",
            "identity, gzip",
            "*",
        ] {
            let refusal = check_request(&headers(&[("content-encoding", value)])).unwrap_err();
            assert_eq!(refusal.problem().status, 415);
            let text = refusal.to_string();
            assert!(
                text.contains("Content-Encoding") && text.contains(&value.to_lowercase()),
                "{text}"
            );
            assert!(check_part(&headers(&[("content-encoding", value)])).is_err());
        }
        let two = check_request(&headers(&[
            ("content-encoding", "identity"),
            ("content-encoding", "gzip"),
        ]));
        assert!(two.unwrap_err().to_string().contains("identity, gzip"));
        for value in ["base64", "quoted-printable", "x-uuencode"] {
            let text = check_part(&headers(&[("content-transfer-encoding", value)]))
                .unwrap_err()
                .to_string();
            assert!(text.contains("Content-Transfer-Encoding") && text.contains(value), "{text}");
        }
        for value in ["gzip, chunked", "chunked, chunked", "identity", "x"] {
            assert_eq!(
                check_request(&headers(&[("transfer-encoding", value)]))
                    .unwrap_err()
                    .problem()
                    .status,
                501,
                "{value}"
            );
        }
    }
}
