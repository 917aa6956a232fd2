//! Whether a browser sends a request on behalf of a page of somebody else.

use crate::problem::RequestError;
use crate::query::shortened;
use axum::http::{HeaderMap, Uri, header};

/// Refuses a request that a page of another origin has a browser send. Programs send no `Origin`.
pub(crate) fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), RequestError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let is_ours = host.is_some_and(|host| {
        let host = host.to_ascii_lowercase();
        [("http://", ":80"), ("https://", ":443")].iter().any(|(scheme, port)| {
            let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_owned();
            origin.strip_prefix(scheme).is_some_and(|origin| bare(origin) == bare(&host))
        })
    });
    if is_ours { Ok(()) } else { Err(RequestError::ForeignOrigin(shortened(&origin))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_ours_may_and_any_other_may_not() {
        for (host, origin, ours) in [
            ("edge:5000", None, true),
            ("edge:5000", Some("http://edge:5000"), true),
            ("Edge:5000", Some("http://edge:5000"), true),
            ("edge", Some("https://edge"), true),
            ("edge:443", Some("https://edge"), true),
            ("edge:5000", Some("http://edge:5001"), false),
            ("edge:5000", Some("http://edge"), false),
            ("edge:80", Some("https://edge"), false),
            ("edge:5000", Some("http://evil.example"), false),
            ("edge:5000", Some("http://edge:5000.evil.example"), false),
            ("edge:5000", Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            let allowed = check_origin(&Uri::from_static("/policy"), &headers).is_ok();
            assert_eq!(allowed, ours, "{host} {origin:?}");
        }
    }
}
