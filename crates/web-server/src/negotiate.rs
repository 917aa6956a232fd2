//! What a client would rather have (RFC 9110, section 12).

use axum::http::{HeaderMap, HeaderName};

/// The weight that a header such as `Accept` gives to exactly this name, 0 to 1; `None` when it does
/// not name it. Of a repeated name the last counts.
pub(crate) fn weight(headers: &HeaderMap, header: HeaderName, name: &str) -> Option<f32> {
    let lists = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let ranges = lists.flat_map(|list| list.split(','));
    ranges.filter_map(|range| weighed(range, name)).next_back()
}

fn weighed(range: &str, wanted: &str) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    let is_it = parts.next()?.eq_ignore_ascii_case(wanted);
    let mut weights = parts.filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
    });
    is_it.then(|| weights.next_back().unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::ACCEPT;

    #[test]
    fn a_name_has_the_weight_that_is_given_to_it() {
        for (list, expected) in [
            ("text/html", Some(1.0)),
            ("application/json, TEXT/HTML; charset=utf-8 ;q=0.5", Some(0.5)),
            ("text/html;q=0", Some(0.0)),
            ("text/html;q=x", Some(0.0)),
            ("text/html;q=0.2, text/html;q=0.9", Some(0.9)),
            ("*/*", None),
            ("text/htmlx", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, list.parse().unwrap())]);
            assert_eq!(weight(&headers, ACCEPT, "text/html"), expected, "{list}");
        }
        assert_eq!(weight(&HeaderMap::new(), ACCEPT, "text/html"), None);
    }
}
