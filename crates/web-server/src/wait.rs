//! Waiting for a result: how clients ask for it, and how it is done.

use crate::jobs::{Finished, Store, Subscription};
use crate::moment::{Longest, parse_span};
use crate::problem::RequestError;
use crate::query::{Query, shortened};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use frame::FrameId;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For how long a client wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) time: Duration,
    /// The seconds that were granted, when the wish came as `Prefer: wait` (RFC 7240).
    preferred_s: Option<u64>,
}

impl Wait {
    /// `?wait=` counts more than `Prefer: wait=`. The query's is an order, so one beyond the limit
    /// is refused; a preference may be met in part, so it is cut to the limit, and one that
    /// cannot be read is passed over, as RFC 7240 asks.
    pub(crate) fn asked_for(
        query: &Query,
        headers: &HeaderMap,
        max: Duration,
    ) -> Result<Option<Self>, RequestError> {
        if let Some(text) = query.get("wait") {
            return match parse_span(text.trim(), Longest { named: max, bare: max }) {
                Ok(time) => Ok(Some(Self { time, preferred_s: None })),
                Err(hint) => Err(RequestError::Parameter {
                    name: "wait",
                    value: shortened(text),
                    allowed: format!(
                        "a span such as 5s, at most {} (MLVI_MAX_WAIT)",
                        humantime::format_duration(max)
                    ),
                    hint,
                }),
            };
        }
        Ok(preferred(headers).map(|seconds| {
            let granted = seconds.min(max.as_secs());
            Self { time: Duration::from_secs(granted), preferred_s: Some(granted) }
        }))
    }

    /// Says in the response that the preference was met.
    pub(crate) fn mark_applied(self, response: &mut Response) {
        let applied = self
            .preferred_s
            .and_then(|seconds| HeaderValue::try_from(format!("wait={seconds}")).ok());
        if let Some(applied) = applied {
            response.headers_mut().insert("preference-applied", applied);
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("prefer"));
        }
    }
}

/// The seconds of the first `wait` among the preferences.
fn preferred(headers: &HeaderMap) -> Option<u64> {
    let lists = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).find_map(|preference| {
        // parameters behind ';' have no meaning for `wait`
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let is_wait = name.trim().eq_ignore_ascii_case("wait") && !value.is_empty();
        (is_wait && value.bytes().all(|c| c.is_ascii_digit()))
            .then(|| value.parse().unwrap_or(u64::MAX))
    })
}

/// The result, if it comes within `time`; ends early at shutdown.
pub(crate) async fn for_result(
    store: &Arc<Store>,
    id: FrameId,
    time: Duration,
    shutdown: &CancellationToken,
) -> Option<Arc<Finished>> {
    match store.subscribe(id) {
        Subscription::Finished(finished) => Some(finished),
        Subscription::Waiting(mut waiter) => tokio::select! {
            finished = waiter.told() => Some(finished),
            () = tokio::time::sleep(time) => None,
            () = shutdown.cancelled() => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::samples;
    use frame::Timestamp;
    use proptest::prelude::*;

    fn asked(uri: &str, prefer: &[&str]) -> Result<Option<Wait>, RequestError> {
        let headers = prefer
            .iter()
            .map(|value| (header::HeaderName::from_static("prefer"), value.parse().unwrap()))
            .collect();
        Wait::asked_for(
            &Query::of(&uri.parse().unwrap()).unwrap(),
            &headers,
            Duration::from_secs(60),
        )
    }

    #[test]
    fn a_wait_in_the_query() {
        for (text, millis) in [("5s", 5000), ("250ms", 250), ("5", 5000), ("1m", 60_000), ("0", 0)]
        {
            let wait = asked(&format!("/x?wait={text}"), &["wait=9"]).unwrap().unwrap();
            assert_eq!(
                (wait.time, wait.preferred_s),
                (Duration::from_millis(millis), None),
                "{text}"
            );
        }
        for text in ["61s", "1h", "-1", "soon", "", "18446744073709551616"] {
            let refusal = asked(&format!("/x?wait={text}"), &[]).unwrap_err().to_string();
            assert!(refusal.contains("at most 1m"), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_wait_as_a_preference() {
        for (prefer, seconds) in [
            (&["wait=5"][..], Some(5)),
            (&["respond-async, wait=10"], Some(10)),
            (&["respond-async", "Wait = \"7\"; foo=bar"], Some(7)),
            (&["wait=3, wait=4"], Some(3)),
            (&["wait=1000"], Some(60)),
            (&["wait=99999999999999999999999"], Some(60)),
            (&["wait"], None),
            (&["wait=soon"], None),
            (&["wait=-1"], None),
            (&["handling=lenient"], None),
            (&[], None),
        ] {
            let wait = asked("/x", prefer).unwrap();
            assert_eq!(wait.map(|wait| wait.time), seconds.map(Duration::from_secs), "{prefer:?}");
            assert_eq!(wait.and_then(|wait| wait.preferred_s), seconds, "{prefer:?}");
        }
    }

    proptest! {
        #[test]
        fn no_preference_makes_the_reader_panic(text in "[ -~]{0,60}") {
            let _ = asked("/x", &[&text]);
        }
    }

    #[tokio::test]
    async fn waiting_ends_with_the_result_the_time_or_shutdown() {
        let store = Arc::new(samples::store(10));
        let shutdown = CancellationToken::new();
        let result = samples::done("gate", 1);
        let id = result.frame_id;
        assert!(for_result(&store, id, Duration::ZERO, &shutdown).await.is_none());
        let waiting = tokio::spawn({
            let (store, shutdown) = (store.clone(), shutdown.clone());
            async move { for_result(&store, id, Duration::from_secs(60), &shutdown).await }
        });
        while store.waiters() == 0 {
            tokio::task::yield_now().await;
        }
        store.finish(Finished::new(&result, None), Timestamp::now());
        assert_eq!(waiting.await.unwrap().unwrap().frame_id, id);
        assert_eq!(for_result(&store, id, Duration::ZERO, &shutdown).await.unwrap().frame_id, id);
        shutdown.cancel();
        assert!(
            for_result(&store, FrameId::fresh(), Duration::from_secs(60), &shutdown)
                .await
                .is_none()
        );
        assert_eq!(store.waiters(), 0, "who stops waiting leaves nothing behind");
    }
}
