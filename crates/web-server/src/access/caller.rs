//! Who asks.

use super::right::{Right, Rights};
use super::secret::Secret;
use super::tokens::Token;
use super::{Access, session};
use crate::moment::written;
use crate::problem::RequestError;
use axum::http::{HeaderMap, header};
use frame::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Who asks, as a request's extension.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// What everybody may do.
    pub(super) open: Rights,
    pub(super) token: Option<(Arc<Token>, By)>,
    /// Whether there are tokens at all.
    pub(super) login: bool,
}

/// How a token comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// In the header `Authorization`.
    Bearer,
    /// By its cookie, until then (seconds since the epoch).
    Cookie(u64),
}

/// A session that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) caller: Caller,
    /// The header `Set-Cookie`.
    pub(crate) cookie: String,
}

impl Caller {
    pub(super) fn token(&self) -> Option<&Token> {
        self.token.as_ref().map(|(token, _)| token.as_ref())
    }

    /// The name of the token, for logs and records of who changed what.
    pub(crate) fn name(&self) -> Option<&str> {
        self.token().map(|token| token.name.as_str())
    }

    /// What everybody may do, and what the token allows.
    fn rights(&self) -> Rights {
        self.token().map_or(self.open, |token| self.open.or(token.rights))
    }

    pub(crate) fn may(&self, right: Right) -> bool {
        self.rights().allow(right)
    }

    /// Whether a token would help.
    pub(super) fn wants_token(&self) -> bool {
        self.login && self.token.is_none()
    }

    /// Whether frames of a camera may be sent: for streams that name another one in their course.
    pub(crate) fn may_send(&self, camera: &str) -> bool {
        self.open.allow(Right::Send)
            || self
                .token()
                .is_some_and(|token| token.rights.allow(Right::Send) && token.may_send(camera))
    }

    /// When the token or its cookie ends; a cookie never ends behind its token.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        let (token, by) = self.token.as_ref()?;
        match by {
            By::Cookie(end_s) => Some(Timestamp::from_micros(end_s.saturating_mul(1_000_000))),
            By::Bearer => token.expires,
        }
    }

    /// What `GET /session` tells.
    pub(crate) fn describe(&self) -> Value {
        let rights: Vec<&str> = self.rights().names().collect();
        let by = self.token.as_ref().map_or("nothing", |(_, by)| match by {
            By::Bearer => "bearer",
            By::Cookie(_) => "cookie",
        });
        let cameras = self.token().and_then(|token| token.cameras.as_ref());
        let cameras = cameras.filter(|_| !self.open.allow(Right::Send));
        let expires = self.ends_at().map(|end| end.as_micros() / 1_000_000);
        let mut told = json!({"login": self.login, "by": by, "rights": rights});
        if let Some(name) = self.name() {
            told["name"] = name.into();
        }
        if let Some(cameras) = cameras {
            told["cameras"] = cameras.iter().map(ToString::to_string).collect();
        }
        // a later second than the year 9999 has cannot be written
        if let Some(end_s) = expires.filter(|end_s| *end_s < 253_402_300_800) {
            told["expires"] = written(end_s).into();
        }
        told
    }
}

impl Access {
    /// Who asks. A cookie that does not hold any more is as none, a token in the header is not.
    ///
    /// # Errors
    /// When a token is brought that is none, or is over.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, RequestError> {
        let tokens = self.tokens();
        let caller = |token| Caller { open: self.open(), token, login: tokens.is_some() };
        let Some(tokens) = &tokens else { return Ok(caller(None)) };
        let now = Timestamp::now();
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let text = value.to_str().unwrap_or_default();
            let token = bearer(text)
                .and_then(Secret::of_client)
                .and_then(|secret| tokens.of_pass(secret.pass(), now));
            let token = token.ok_or(RequestError::UnknownToken)?;
            return Ok(caller(Some((token, By::Bearer))));
        }
        let by_cookie = session::token_of(headers, tokens, now);
        Ok(caller(by_cookie.map(|(token, end_s)| (token, By::Cookie(end_s)))))
    }

    /// Begins a browser's session with a token; `https`: the browser came by HTTPS.
    ///
    /// # Errors
    /// When there is no such token, or none is needed at all.
    pub(crate) fn log_in(&self, token: &str, https: bool) -> Result<Begun, RequestError> {
        let tokens = self.tokens().ok_or(RequestError::NoLogin)?;
        let now = Timestamp::now();
        let pass = Secret::of_client(token).ok_or(RequestError::UnknownToken)?.pass();
        let token = tokens.of_pass(pass, now).ok_or(RequestError::UnknownToken)?;
        let end_s = session::end_s(&token, now);
        let value = session::value(&token, pass, end_s);
        let lasts_s = end_s.saturating_sub(now.as_micros() / 1_000_000);
        let cookie = session::cookie(&value, lasts_s, self.https() || https);
        let token = Some((token, By::Cookie(end_s)));
        Ok(Begun { caller: Caller { open: self.open(), token, login: true }, cookie })
    }

    /// The header `Set-Cookie` that ends a browser's session.
    pub(crate) fn log_out(&self) -> String {
        session::cookie("", 0, self.https())
    }
}

/// The token in `Bearer TOKEN`; the scheme's case does not count (RFC 9110, section 11.1).
fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
