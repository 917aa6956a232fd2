//! What a browser has in place of a token: a cookie.
//!
//! It is signed with a key that follows from the token's line in the tokens file, so every replica
//! that has the file accepts it, and nothing is kept of it. It ends with its time, with the token,
//! and with the line: a new hash for the token ends all of its sessions.

use super::secret::{Pass, hex, unhex};
use super::tokens::{Token, Tokens};
use axum::http::{HeaderMap, header};
use frame::Timestamp;
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "mlvi_session";
/// How long a browser stays logged in.
const LASTS: Duration = Duration::from_secs(12 * 3600);

/// A cookie's value: `PASS.END.MAC`, with the end in seconds since the epoch.
pub(super) fn value(token: &Token, pass: Pass, end_s: u64) -> String {
    let (signed, pass) = (signed_text(pass, end_s), pass.to_hex());
    let mac = hmac::sign(&key(token), signed.as_bytes());
    format!("{pass}.{end_s}.{}", hex(mac.as_ref()))
}

/// When a session that begins now ends, in seconds since the epoch.
pub(super) fn end_s(token: &Token, now: Timestamp) -> u64 {
    let end = now + LASTS;
    token.expires.map_or(end, |expires| expires.min(end)).as_micros() / 1_000_000
}

/// The header that sets the cookie; `secure`: only for HTTPS.
pub(super) fn cookie(value: &str, lasts_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}")
}

/// The token whose cookie a request brings, if it still holds.
pub(super) fn token_of(
    headers: &HeaderMap,
    tokens: &Tokens,
    now: Timestamp,
) -> Option<(Arc<Token>, u64)> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    let ours = pairs.filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='));
    // a host may have set a second one of this name for a longer path
    ours.take(4).find_map(|value| check(value, tokens, now))
}

fn check(value: &str, tokens: &Tokens, now: Timestamp) -> Option<(Arc<Token>, u64)> {
    let mut parts = value.split('.');
    let (pass, end, mac) = (parts.next()?, parts.next()?, parts.next()?);
    let (pass, end_s) = (Pass::from_hex(pass)?, end.parse::<u64>().ok()?);
    let mac: [u8; 32] = unhex(mac)?;
    if parts.next().is_some() || now.as_micros() / 1_000_000 >= end_s {
        return None;
    }
    let token = tokens.of_pass(pass, now)?;
    let signed = signed_text(pass, end_s);
    hmac::verify(&key(&token), signed.as_bytes(), &mac).ok()?;
    Some((token, end_s))
}

fn signed_text(pass: Pass, end_s: u64) -> String {
    format!("{}.{end_s}", pass.to_hex())
}

fn key(token: &Token) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &token.hash.key())
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tests::entry;
    use super::*;
    use axum::http::HeaderValue;

    fn brings(value: &str) -> HeaderMap {
        let cookies = format!("theme=dark; {NAME}={value}; other=1");
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(cookies).unwrap())])
    }

    #[test]
    fn a_cookie_holds_until_its_end_and_with_its_line_alone() {
        let (secret, lines) = entry("a", "rights = ['read']");
        let tokens = Tokens::from_toml(lines.as_bytes()).unwrap();
        let now = Timestamp::now();
        let token = tokens.of_pass(secret.pass(), now).unwrap();
        let end = end_s(&token, now);
        let cookie = value(&token, secret.pass(), end);
        assert!(!cookie.contains(secret.reveal()));
        let (found, until) = token_of(&brings(&cookie), &tokens, now).unwrap();
        assert_eq!((found.name.as_str(), until), ("a", end));
        assert!(token_of(&brings(&cookie), &tokens, now + LASTS).is_none(), "its time is over");

        // another replica, or a file in which nothing but the salt is new
        let again = Tokens::from_toml(lines.as_bytes()).unwrap();
        assert!(token_of(&brings(&cookie), &again, now).is_some());
        let hash = secret.hash().unwrap();
        let renewed = format!("[[token]]\nname='a'\nhash='{hash}'\nrights=['read']");
        let renewed = Tokens::from_toml(renewed.as_bytes()).unwrap();
        assert!(token_of(&brings(&cookie), &renewed, now).is_none());
    }

    #[test]
    fn who_has_a_cookie_cannot_make_its_time_longer() {
        let (secret, lines) = entry("a", "rights = ['read']");
        let tokens = Tokens::from_toml(lines.as_bytes()).unwrap();
        let now = Timestamp::now();
        let token = tokens.of_pass(secret.pass(), now).unwrap();
        let end = end_s(&token, now);
        let cookie = value(&token, secret.pass(), end);
        let longer = cookie.replace(&end.to_string(), &(end + 1).to_string());
        let cut = &cookie[..cookie.len() - 1];
        for forged in [longer.as_str(), cut, "", "..", &format!("{cookie}.")] {
            assert!(token_of(&brings(forged), &tokens, now).is_none(), "{forged}");
        }
    }

    #[test]
    fn a_session_ends_with_its_token() {
        let (secret, lines) = entry("a", "rights = ['read']\nexpires = 2027-01-01T00:00:00Z");
        let tokens = Tokens::from_toml(lines.as_bytes()).unwrap();
        let now = Timestamp::from_micros(1_798_761_600_000_000 - 5_000_000);
        let token = tokens.of_pass(secret.pass(), now).unwrap();
        assert_eq!(end_s(&token, now), 1_798_761_600);
    }
}
