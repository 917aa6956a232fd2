//! Reads a camera's results as they come.

use super::PushArgs;
use super::window::Window;
use frame::{CameraId, FrameResult};
use std::io::{BufRead, BufReader};
use std::time::Duration;
use ureq::BodyReader;

/// How long the server may take to answer; its results come later.
const ANSWER: Duration = Duration::from_secs(10);

/// Results of one camera.
pub(super) struct Watch(BufReader<BodyReader<'static>>);

impl Watch {
    /// Returns once the server answers, so that no later result is missed.
    ///
    /// # Errors
    /// When it does not, or does not let read.
    pub(super) fn start(args: &PushArgs, camera: &CameraId) -> anyhow::Result<Self> {
        let url = args.server.url(format_args!("/results?camera={camera}"));
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(ANSWER))
            .timeout_recv_response(Some(ANSWER));
        let agent = args.server.agent(config)?;
        let request = args.server.with_token(agent.get(&url));
        let response = request.call().map_err(|error| match error {
            ureq::Error::StatusCode(401 | 403) => anyhow::anyhow!(
                "{url}: the results of a video are read, too, which needs a token with the right \
                 'read' (mlvi token new --read)"
            ),
            error => args.server.away(error, &url),
        })?;
        Ok(Self(BufReader::new(response.into_body().into_reader())))
    }

    /// Hands results to the window until it is closed (the server says something every few
    /// seconds) or there is nothing more to read, which closes it.
    pub(super) fn follow(self, window: &Window) {
        let mut is_final = false;
        for line in self.0.lines().map_while(Result::ok) {
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
