//! Reads a camera's results as they come.

use super::PushArgs;
use super::photos::told;
use super::window::Window;
use frame::{CameraId, FrameResult};
use std::io::{BufRead, BufReader};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::{Agent, BodyReader};

/// How long the server may take to answer; its results come later.
const ANSWER: Duration = Duration::from_secs(10);

/// Which header of the answer tells how often the server says something, in seconds.
const KEEP_ALIVE: &str = "mlvi-keep-alive";
/// How often servers do that do not tell it: those of before.
const USUAL_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What a server may tell, in seconds.
const KEEP_ALIVES: RangeInclusive<f64> = 0.05..=300.0;
/// Whoever has missed so many times to say something is gone.
const MISSED: u32 = 3;

/// The server cannot be reached, or takes nothing for the moment.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Away(pub(super) anyhow::Error);

/// Whether a server that answers so may answer otherwise soon.
pub(super) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

/// Results of one camera.
pub(super) struct Watch {
    lines: BufReader<BodyReader<'static>>,
    agent: Agent,
    heard: Heard,
}

/// When the server has said something last; clones share it.
#[derive(Clone)]
pub(super) struct Heard {
    last: Arc<Mutex<Instant>>,
    within: Duration,
}

impl Heard {
    fn every(keep_alive: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), within: keep_alive * MISSED }
    }

    fn now(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long it may say nothing, if it has said nothing for longer: it is gone, though no
    /// connection was closed, as when a cable is pulled.
    pub(super) fn is_gone(&self) -> Option<Duration> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.elapsed() > self.within).then_some(self.within)
    }
}

impl Watch {
    /// Returns once the server answers, so that no later result is missed.
    ///
    /// # Errors
    /// When it does not, or does not let read.
    pub(super) fn start(args: &PushArgs, camera: &CameraId) -> anyhow::Result<Self> {
        let url = args.server.url(format_args!("/results?camera={camera}"));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(ANSWER))
            .timeout_recv_response(Some(ANSWER));
        let agent = args.server.agent(config)?;
        let asked = args.server.with_token(agent.get(&url)).call();
        let mut response = asked.map_err(|error| Away(args.server.away(error, &url)))?;
        match response.status().as_u16() {
            200 => {}
            401 | 403 => anyhow::bail!(
                "{url}: the results of a video are read, too, which needs a token with the right \
                 'read' (mlvi token new --read)"
            ),
            status => {
                let text = response.body_mut().read_to_string().unwrap_or_default();
                let refused = anyhow::anyhow!("{url}: {}", told(status, &text));
                return Err(if may_pass(status) { Away(refused).into() } else { refused });
            }
        }
        let told = response.headers().get(KEEP_ALIVE).and_then(|value| value.to_str().ok());
        let told = told.and_then(|seconds| seconds.parse().ok());
        let told = told.filter(|seconds| KEEP_ALIVES.contains(seconds));
        let heard = Heard::every(told.map_or(USUAL_KEEP_ALIVE, Duration::from_secs_f64));
        let lines = BufReader::new(response.into_body().into_reader());
        Ok(Self { lines, agent, heard })
    }

    /// When the server has said something last.
    pub(super) fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// Whose shutdown ends the reading.
    pub(super) fn agent(&self) -> Agent {
        self.agent.clone()
    }

    /// Hands results to the window until it is closed (the server says something every few
    /// seconds) or there is nothing more to read, which closes it.
    pub(super) fn follow(self, window: &Window) {
        let mut is_final = false;
        for line in self.lines.lines().map_while(Result::ok) {
            self.heard.now();
            if window.is_closed() {
                return;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                is_final = event == "result";
            } else if let (true, Some(json)) = (is_final, line.strip_prefix("data: ")) {
                let Ok(result) = serde_json::from_str::<FrameResult>(json) else { continue };
                // another client may send for the same camera
                window.found(result.sequence, result);
            }
        }
        window.close();
    }
}
