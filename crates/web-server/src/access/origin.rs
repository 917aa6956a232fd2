//! Which pages may send requests, and under which names this server is asked.
//!
//! A browser sends requests of any page to any address, `localhost` and the local network included,
//! with the cookies that it has for that address. So a request that changes something is taken only
//! from pages that we serve (or that are listed), and on the loopback interface only names that
//! mean this machine are answered to: a stranger's name that leads to 127.0.0.1 (DNS rebinding)
//! would make the stranger's page look like ours. What is no browser sends neither header, and
//! passes.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, Version, header};
use frame::Glob;
use std::net::IpAddr;
use std::str::FromStr;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Origins whose pages are let in although they are not ours, e.g. `https://wall.example.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<HeaderValue>);

/// A text that is no list of origins.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an origin is SCHEME://HOST, with a port if it is not the usual one, and no path")]
pub struct InvalidOrigin;

/// Names under which this server may be asked; `*` stands for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Glob>);

/// A text that is no list of host names.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a host is a name or an address without a port")]
pub struct InvalidHost;

/// Why a request's host is not answered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostFault {
    /// It has none, or several.
    Missing,
    /// It is not ours.
    Foreign(String),
}

impl Origins {
    /// The origin that a request names, if it is listed.
    pub(super) fn listed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(header::ORIGIN).filter(|origin| self.0.contains(origin))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The page that a request comes from, if it is a stranger's: `https` says whether our own
    /// pages come by HTTPS alone.
    ///
    /// `Sec-Fetch-Site` counts first, because it is right behind proxies that exchange the host;
    /// browsers send it to HTTPS and to this machine alone. A page can set neither header.
    pub(super) fn stranger(&self, uri: &Uri, headers: &HeaderMap, https: bool) -> Option<String> {
        if self.listed(headers).is_some() {
            return None;
        }
        let origin = headers.get(header::ORIGIN);
        let ours = match (headers.get(SEC_FETCH_SITE), origin) {
            (Some(site), _) => site == "same-origin" || site == "none",
            (None, Some(origin)) => is_own(origin, uri, headers, https),
            (None, None) => true,
        };
        let named = |origin: &HeaderValue| String::from_utf8_lossy(origin.as_bytes()).into_owned();
        (!ours).then(|| origin.map_or_else(|| "an unknown page".into(), named))
    }
}

/// Whether an origin is the host that the request is for.
fn is_own(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap, https: bool) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let is_right_scheme =
        if https { scheme == "https" } else { matches!(scheme, "http" | "https") };
    is_right_scheme
        && authority_of(uri, headers)
            .is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority))
}

/// The host and port that a request is for; a target in absolute form wins (RFC 9112, section
/// 3.2.2).
fn authority_of(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let in_header = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(in_header)
}

impl Hosts {
    /// Whether a request's host is answered to. Addresses always are, because no name leads to
    /// them, and so is `localhost`. Other names have to be listed on the loopback interface; beyond
    /// it all are taken unless some are listed.
    pub(super) fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        version: Version,
        loopback: bool,
    ) -> Result<(), HostFault> {
        let mut given = headers.get_all(header::HOST).iter();
        let (first, second) = (given.next(), given.next());
        if second.is_some() {
            return Err(HostFault::Missing);
        }
        if first.is_none() && uri.authority().is_none() {
            // no browser is that old
            return if version < Version::HTTP_11 { Ok(()) } else { Err(HostFault::Missing) };
        }
        let foreign = |host: &str| HostFault::Foreign(host.chars().take(100).collect());
        let authority = authority_of(uri, headers).ok_or_else(|| {
            foreign(&String::from_utf8_lossy(first.map_or(b"", HeaderValue::as_bytes)))
        })?;
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_open = self.0.is_empty() && !loopback;
        let is_listed = || self.0.iter().any(|glob| glob.fits(&host));
        if is_open || address.parse::<IpAddr>().is_ok() || host == "localhost" || is_listed() {
            Ok(())
        } else {
            Err(foreign(&host))
        }
    }
}

/// What stands between commas; `none` is nothing.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let text = if text == "none" { "" } else { text };
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl FromStr for Origins {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let read = |item: &str| {
            let (scheme, authority) = item.split_once("://").ok_or(InvalidOrigin)?;
            let whole: Authority = authority.parse().map_err(|_| InvalidOrigin)?;
            let is_plain = item == item.to_ascii_lowercase()
                && matches!(scheme, "http" | "https")
                && !whole.as_str().contains('@')
                && !authority.contains('*');
            if is_plain {
                HeaderValue::from_str(item).map_err(|_| InvalidOrigin)
            } else {
                Err(InvalidOrigin)
            }
        };
        items(text).map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Hosts {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let read = |item: &str| {
            let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'*');
            if !item.bytes().all(plain) {
                return Err(InvalidHost);
            }
            item.to_ascii_lowercase().parse().map_err(|_| InvalidHost)
        };
        items(text).map(read).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_our_own_pages_and_listed_ones_may_change_something() {
        let listed: Origins = "https://wall.example.com, http://10.0.0.7:8123".parse().unwrap();
        let none = Origins::default();
        let cases: [(&Origins, &str, &str, bool, bool); 12] = [
            // no browser
            (&none, "", "", false, true),
            (&none, "", "", true, true),
            // a browser that says where the page is from
            (&none, "http://evil.example", "cross-site", false, false),
            (&none, "", "cross-site", false, false),
            (&none, "http://cam.local:8000", "same-site", false, false),
            (&none, "https://outside.example", "same-origin", false, true),
            (&none, "", "none", false, true),
            // a browser that does not
            (&none, "http://cam.local:5000", "", false, true),
            (&none, "http://cam.local:5001", "", false, false),
            (&none, "null", "", false, false),
            (&none, "http://cam.local:5000", "", true, false),
            (&listed, "https://wall.example.com", "cross-site", false, true),
        ];
        for (origins, origin, site, https, allowed) in cases {
            let mut pairs = vec![("host", "Cam.local:5000")];
            pairs.extend((!origin.is_empty()).then_some(("origin", origin)));
            pairs.extend((!site.is_empty()).then_some((SEC_FETCH_SITE, site)));
            let stranger = origins.stranger(&Uri::from_static("/"), &headers(&pairs), https);
            assert_eq!(stranger.is_none(), allowed, "{origin} {site} {https}: {stranger:?}");
        }
    }

    #[test]
    fn on_the_loopback_interface_names_of_strangers_are_refused() {
        let (none, listed): (Hosts, Hosts) =
            ("none".parse().unwrap(), "mlvi.lan,*.test".parse().unwrap());
        for (host, alone, by_list) in [
            ("localhost:5000", true, true),
            ("LOCALHOST.", true, true),
            ("127.0.0.1:5000", true, true),
            ("[::1]:5000", true, true),
            ("192.168.1.7", true, true),
            ("evil.example:5000", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("localhost.evil.example", false, false),
            ("mlvi.lan:5000", false, true),
            ("a.test", false, true),
            ("not a host", false, false),
            ("", false, false),
        ] {
            let uri = Uri::from_static("/");
            let pass = |hosts: &Hosts, loopback| {
                hosts.check(&uri, &headers(&[("host", host)]), Version::HTTP_11, loopback).is_ok()
            };
            assert_eq!((pass(&none, true), pass(&listed, true)), (alone, by_list), "{host}");
            assert_eq!(pass(&listed, false), by_list, "{host}");
            let is_host = host.parse::<Authority>().is_ok();
            assert_eq!(pass(&none, false), is_host, "{host}: nothing is listed");
        }
    }

    #[test]
    fn a_request_has_one_host() {
        let (hosts, path) = (Hosts::default(), Uri::from_static("/"));
        let mut two = headers(&[("host", "localhost")]);
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        for (uri, headers, version, right) in [
            (&path, &HeaderMap::new(), Version::HTTP_11, false),
            (&path, &HeaderMap::new(), Version::HTTP_10, true),
            (&path, &two, Version::HTTP_11, false),
            (&Uri::from_static("http://localhost/"), &HeaderMap::new(), Version::HTTP_11, true),
            (
                &Uri::from_static("http://evil.example/"),
                &self::headers(&[("host", "localhost")]),
                Version::HTTP_11,
                false,
            ),
        ] {
            assert_eq!(
                hosts.check(uri, headers, version, true).is_ok(),
                right,
                "{uri} {headers:?}"
            );
        }
    }

    #[test]
    fn lists_are_read_strictly() {
        for wrong in [
            "*",
            "example.com",
            "https://a.example/",
            "ftp://a",
            "https://A.example",
            "https://*.a",
        ] {
            assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
        }
        for wrong in ["a:5000", "http://a", "a/b"] {
            assert!(wrong.parse::<Hosts>().is_err(), "{wrong}");
        }
        assert!("none".parse::<Origins>().unwrap().is_empty());
        assert!("".parse::<Hosts>().unwrap().0.is_empty());
    }
}
