//! Someone who watches the stream of results.

use anyhow::Context;
use frame::FrameResult;
use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The results that have come by since it was opened, provisional ones too.
pub struct Watch {
    results: Receiver<FrameResult>,
}

impl Watch {
    pub(crate) fn open(url: &str) -> anyhow::Result<Self> {
        let response =
            ureq::Agent::new_with_defaults().get(url).call().with_context(|| url.to_owned())?;
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        let (sender, results) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some(data) = line.strip_prefix("data:") else { continue };
                let Ok(result) = serde_json::from_str(data.trim_start()) else { continue };
                if sender.send(result).is_err() {
                    return;
                }
            }
        });
        Ok(Self { results })
    }

    /// The next `count` results.
    ///
    /// # Errors
    /// When fewer come within `patience`.
    pub fn take(&self, count: usize, patience: Duration) -> anyhow::Result<Vec<FrameResult>> {
        let deadline = Instant::now() + patience;
        let mut taken = Vec::new();
        while taken.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let result = self.results.recv_timeout(left);
            taken.push(
                result
                    .with_context(|| format!("{} of {count} results came in time", taken.len()))?,
            );
        }
        Ok(taken)
    }

    /// What has come by and was not taken.
    #[must_use]
    pub fn rest(&self) -> Vec<FrameResult> {
        self.results.try_iter().collect()
    }
}
