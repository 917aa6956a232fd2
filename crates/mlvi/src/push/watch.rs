//! Reads a camera's results as they come.

use super::PushArgs;
use super::tally::Tally;
use frame::CameraId;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Results of one camera, read on a thread that ends with the stream or the process.
pub(super) struct Watch {
    seen: Arc<AtomicU64>,
}

impl Watch {
    /// Returns once the server answers, so that no later result is missed.
    pub(super) fn start(
        args: &PushArgs,
        camera: &CameraId,
        tally: Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let prints = args.json;
        let url = args.server.url(format_args!("/results?camera={camera}"));
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(10)));
        let agent = args.server.agent(config)?;
        let request = args.server.with_token(agent.get(&url));
        let response = request.call().map_err(|error| match error {
            ureq::Error::StatusCode(401 | 403) => anyhow::anyhow!(
                "{url}: the results of a video are read, too, which needs a token with the right \
                 'read' (mlvi token new --read)"
            ),
            error => args.server.away(error, &url),
        })?;
        let seen = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&seen);
        std::thread::spawn(move || {
            let lines = BufReader::new(response.into_body().into_reader()).lines();
            let mut is_final = false;
            for line in lines.map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("event: ") {
                    is_final = event == "result";
                } else if let (true, Some(json)) = (is_final, line.strip_prefix("data: ")) {
                    if prints {
                        println!("{json}");
                    }
                    tally.result(json);
                    counted.fetch_add(1, Ordering::Release);
                }
            }
        });
        Ok(Self { seen })
    }

    /// Waits until so many results were read; they are there already, or almost.
    pub(super) fn until(&self, results: u64, at_most: Duration) {
        let started = Instant::now();
        while self.seen.load(Ordering::Acquire) < results && started.elapsed() < at_most {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
