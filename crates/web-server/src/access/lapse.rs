//! The end of what a caller may do: for answers that have no end of their own.

use super::right::Right;
use super::tokens::Tokens;
use super::{Access, Caller};
use frame::{CameraId, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// A clock that is set makes no timer end earlier, so the time is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Access {
    /// Ready when the caller may not do that any more: its token has another line in the tokens
    /// file or none, or another right or other cameras, or its time or its cookie's is over.
    /// `camera`: what frames are sent for.
    pub(crate) fn lapse(
        self: &Arc<Self>,
        caller: Caller,
        right: Right,
        camera: Option<CameraId>,
    ) -> BoxFuture<'static, ()> {
        let access = self.clone();
        let lapse = async move {
            let mut tokens = access.tokens.subscribe();
            loop {
                let now = Timestamp::now();
                let caller = caller.as_of(tokens.borrow_and_update().as_deref(), now);
                if !caller.may_go_on(right, camera.as_ref()) {
                    return;
                }
                let left = caller.ends_at().map_or(LOOK_AGAIN, |end| {
                    Duration::from_micros(end.as_micros().saturating_sub(now.as_micros()))
                });
                tokio::select! {
                    // never an error: the sender is `access`
                    _ = tokens.changed() => {}
                    () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
                }
            }
        };
        lapse.boxed()
    }
}

impl Caller {
    /// With the tokens as they are now; without its own where that does not hold any more.
    fn as_of(&self, tokens: Option<&Tokens>, now: Timestamp) -> Self {
        let holds = self.ends_at().is_none_or(|end| now < end);
        let token = self.token().filter(|_| holds).and_then(|token| {
            let by = self.token.as_ref().map(|(_, by)| *by)?;
            Some((tokens?.of_hash(&token.hash, now)?, by))
        });
        Self { open: self.open, token, login: self.login }
    }

    fn may_go_on(&self, right: Right, camera: Option<&CameraId>) -> bool {
        match camera {
            Some(camera) if right == Right::Send => self.may_send(camera.as_str()),
            _ => self.may(right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tests::entry;
    use super::*;
    use crate::app::App;
    use crate::testing::app;
    use axum::http::{HeaderMap, header};
    use std::time::UNIX_EPOCH;
    use tempfile::TempDir;

    /// A server with a token, and who brings it.
    struct Known {
        app: Arc<App>,
        caller: Caller,
        lines: String,
        _dir: TempDir,
    }

    fn known(lines: &str) -> Known {
        let (secret, lines) = entry("a", lines);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tokens.toml");
        std::fs::write(&file, &lines).unwrap();
        let app = app(&[("MLVI_TOKENS_FILE", file.to_str().unwrap())]);
        let bearer = format!("Bearer {}", secret.reveal()).parse().unwrap();
        let caller = app.access.caller(&HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]));
        Known { app, caller: caller.unwrap(), lines, _dir: dir }
    }

    impl Known {
        /// Whether the right is over once the file has this.
        fn is_over(&self, right: Right, camera: Option<&str>, lines: &str) -> bool {
            let access = &self.app.access;
            access.exchange(Tokens::from_toml(self.lines.as_bytes()).unwrap());
            let camera = camera.map(|camera| camera.parse().unwrap());
            let mut lapse = access.lapse(self.caller.clone(), right, camera);
            assert!((&mut lapse).now_or_never().is_none(), "it holds at first");
            access.exchange(Tokens::from_toml(lines.as_bytes()).unwrap());
            lapse.now_or_never().is_some()
        }
    }

    #[tokio::test]
    async fn a_right_ends_with_what_gave_it() {
        let known = known("rights = ['send', 'read']\ncameras = ['gate-*']");
        let (same, other) = (known.lines.as_str(), entry("b", "rights = ['read']").1);
        let of_secret = entry("a", "rights = ['send', 'read']").1;
        let gate = Some("gate-1");
        for (lines, read, send) in [
            (same.to_owned(), false, false),
            (format!("{same}{other}"), false, false),
            (same.replace("'a'", "'renamed'"), false, false),
            (same.replace("gate-*", "yard"), false, true),
            (same.replace("'send', ", ""), false, true),
            (same.replace(", 'read'", ""), true, false),
            (other, true, true),
            (of_secret, true, true),
            (format!("{same}expires = 2020-01-01T00:00:00Z"), true, true),
        ] {
            assert_eq!(known.is_over(Right::Read, None, &lines), read, "{lines}");
            assert_eq!(known.is_over(Right::Send, gate, &lines), send, "{lines}");
        }
    }

    #[tokio::test]
    async fn what_everybody_may_do_is_never_over() {
        let open = app(&[]);
        let caller = open.access.caller(&HeaderMap::new()).unwrap();
        assert!(open.access.lapse(caller, Right::Read, None).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_right_ends_with_its_time() {
        // in whole milliseconds, as the file has it
        let now = Duration::from_millis(Timestamp::now().as_micros() / 1000);
        let soon = UNIX_EPOCH + now + Duration::from_secs(2);
        let expires = humantime::format_rfc3339_millis(soon);
        let known = known(&format!("rights = ['read']\nexpires = {expires}"));
        // ends, whenever the machine gets to it
        known.app.access.lapse(known.caller.clone(), Right::Read, None).await;
        assert!(UNIX_EPOCH + Duration::from_micros(Timestamp::now().as_micros()) >= soon);
    }
}
