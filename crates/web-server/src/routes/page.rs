//! `GET /` for people, `GET /docs` and `GET /assets/{version}/{file}`: the dashboard.

use crate::negotiate::weight;
use crate::problem::RequestError;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dashboard::{CONTENT_SECURITY_POLICY, File, page};

/// The address changes with the contents.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Asked for again each time, and not sent again if it is the same.
const ASK_AGAIN: &str = "no-cache";

/// Whether a client prefers a page: browsers name HTML, programs do not.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let of = |name| weight(headers, header::ACCEPT, name).unwrap_or(0.0);
    let html = of("text/html");
    html > 0.0 && html >= of("application/json")
}

/// The document.
pub(super) fn document(headers: &HeaderMap) -> Response {
    serve(&page().index, headers, ASK_AGAIN, "accept, accept-encoding")
}

/// `GET /docs`: the description of the interface, for people.
pub(super) async fn documentation(headers: HeaderMap) -> Response {
    serve(&page().docs, &headers, ASK_AGAIN, "accept-encoding")
}

pub(super) async fn asset(
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let Path((version, name)) = path.map_err(|_| RequestError::UnknownRoute)?;
    let file = page().asset(&name).ok_or(RequestError::UnknownRoute)?;
    // a page from before an upgrade gets what there is now, and may not keep it
    let caching = if version == page().version { FOR_GOOD } else { ASK_AGAIN };
    Ok(serve(file, &headers, caching, "accept-encoding"))
}

fn serve(
    file: &'static File,
    headers: &HeaderMap,
    caching: &'static str,
    vary: &'static str,
) -> Response {
    let gzip = file.gzip.as_ref().filter(|_| {
        weight(headers, header::ACCEPT_ENCODING, "gzip").is_some_and(|weight| weight > 0.0)
    });
    let etag = if gzip.is_some() { &file.gzip_etag } else { &file.etag };
    let mut response = if is_known(headers, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        gzip.unwrap_or(&file.plain).clone().into_response()
    };
    let to = response.headers_mut();
    let mut put = |name: HeaderName, value: &'static str| {
        to.insert(name, HeaderValue::from_static(value));
    };
    put(header::CACHE_CONTROL, caching);
    put(header::VARY, vary);
    put(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    if response.status() != StatusCode::NOT_MODIFIED {
        let to = response.headers_mut();
        to.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        if gzip.is_some() {
            to.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// Whether `If-None-Match` names what would be sent.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use crate::testing::{app, call};
    use axum::body::{Body, to_bytes};
    use axum::http::{HeaderMap, Request, StatusCode};
    use serde_json::Value;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    async fn get(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let router = crate::routes::router(app(&[]));
        let response = call(&router, request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, 1 << 20).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn browsers_get_the_page_and_programs_the_list() {
        for (accept, html) in [
            (BROWSER, true),
            ("text/html", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.5", false),
            ("text/html;q=0, */*", false),
        ] {
            let (status, headers, body) = get("/", &[("accept", accept)]).await;
            assert_eq!(status, 200);
            assert!(headers["vary"].to_str().unwrap().contains("accept"), "{accept}");
            let content_type = headers["content-type"].to_str().unwrap();
            assert_eq!(content_type.starts_with("text/html"), html, "{accept}: {content_type}");
            assert_eq!(serde_json::from_slice::<Value>(&body).is_ok(), !html, "{accept}");
        }
        assert_eq!(get("/", &[]).await.1["content-type"], "application/json");
    }

    #[tokio::test]
    async fn the_page_may_run_no_inline_code_and_load_nothing_from_elsewhere() {
        for path in ["/", "/docs"] {
            let (_, headers, _) = get(path, &[("accept", BROWSER)]).await;
            assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
            for forbidden in ["unsafe", "*", "http:", "https:"] {
                assert!(!policy.contains(forbidden), "{policy}");
            }
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["referrer-policy"], "no-referrer");
        }
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        for (path, accept) in [("/", BROWSER), ("/docs", BROWSER), ("/assets/any/app.js", "*/*")] {
            for (encoding, encoded) in [("gzip, br", true), ("gzip;q=0", false), ("br", false)] {
                let wanted = [("accept", accept), ("accept-encoding", encoding)];
                let (status, headers, body) = get(path, &wanted).await;
                assert_eq!((status.as_u16(), body.is_empty()), (200, false), "{path}");
                assert_eq!(headers.contains_key("content-encoding"), encoded, "{encoding}");
                let etag = headers["etag"].to_str().unwrap();
                for known in [etag.to_owned(), format!("\"x\", W/{etag}"), "*".into()] {
                    let asked = [wanted[0], wanted[1], ("if-none-match", known.as_str())];
                    let (status, again, body) = get(path, &asked).await;
                    assert_eq!((status.as_u16(), body.len()), (304, 0), "{path} {known}");
                    assert_eq!(again["etag"], headers["etag"]);
                }
                let stale = [wanted[0], wanted[1], ("if-none-match", "\"stale\"")];
                assert_eq!(get(path, &stale).await.0, 200);
            }
        }
    }

    #[tokio::test]
    async fn assets_are_kept_for_good_under_their_version_alone() {
        let version = &dashboard::page().version;
        let (_, headers, _) = get(&format!("/assets/{version}/style.css"), &[]).await;
        assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
        let (_, headers, _) = get("/assets/0123456789ab/style.css", &[]).await;
        assert_eq!(headers["cache-control"], "no-cache");
        for nothing in ["/assets/x/nothing.js", "/assets/x/..%2Flib.rs", "/assets/%FF/app.js"] {
            assert_eq!(get(nothing, &[]).await.0, 404, "{nothing}");
        }
    }
}
