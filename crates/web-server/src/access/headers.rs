//! Headers that every answer has, so that a browser does nothing with it but what is meant.

use super::Access;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// What a page may do: load and ask only what we serve, and show pictures that it has made itself.
/// So a page has its scripts and styles in files of their own: no `<script>` or `<style>` with
/// content, no `style=` or `onclick=`, no `eval`. WebSockets to its own host are `'self'`, too.
const PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
/// What anything else may do when somebody opens it as a page.
const NO_PAGE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// What scripts of listed origins may read of an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "location, retry-after, preference-applied, traceparent, x-request-id, www-authenticate",
);

/// Sets what is not set. What a handler says itself counts more.
///
/// `shared`: pages of other origins are let in, so they may show pictures, too.
pub(crate) fn secure(headers: &mut HeaderMap, shared: bool) {
    let media_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let is_page = media_type.starts_with(b"text/html");
    // a worker has the policy of its script, not that of the page
    let is_script = media_type.starts_with(b"text/javascript");
    let corp = if shared { "cross-origin" } else { "same-origin" };
    let mut set = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    set(header::CONTENT_SECURITY_POLICY, if is_page || is_script { PAGE } else { NO_PAGE });
    set(CORP, HeaderValue::from_static(corp));
    // frames and results are nobody else's, whatever cache is in between
    set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_page {
        set(COOP, HeaderValue::from_static("same-origin"));
        // a page of ours may use this device's camera; what it embeds may nothing
        let ours = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";
        set(PERMISSIONS, HeaderValue::from_static(ours));
        // for browsers that do not know frame-ancestors
        set(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
}

/// The outermost middleware: the headers of every answer, and those that let listed origins read
/// it.
pub(crate) async fn protect(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let origins = &access.config.origins;
    let listed = origins.listed(request.headers()).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    secure(headers, !origins.is_empty());
    if !origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = listed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gets_what_it_needs_and_data_gets_nothing() {
        let mut page = HeaderMap::new();
        page.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        page.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        secure(&mut page, false);
        assert_eq!(page[header::CONTENT_SECURITY_POLICY], PAGE);
        assert!(!PAGE.to_str().unwrap().contains("unsafe"));
        assert_eq!(page[header::CACHE_CONTROL], "max-age=60");
        assert_eq!(page[header::X_FRAME_OPTIONS], "DENY");
        let mut script = HeaderMap::new();
        script.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
        secure(&mut script, false);
        assert_eq!(script[header::CONTENT_SECURITY_POLICY], PAGE);
        let mut data = HeaderMap::new();
        secure(&mut data, true);
        assert_eq!(data[header::CONTENT_SECURITY_POLICY], NO_PAGE);
        assert_eq!(
            (&data[CORP], &page[CORP]),
            (&"cross-origin".parse().unwrap(), &"same-origin".parse().unwrap())
        );
        assert_eq!(data[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(data[header::CACHE_CONTROL], "no-store");
    }
}
