//! What of a camera's pictures nobody may see, as the server tells it: for the pictures and videos
//! that are saved here.

use super::PushArgs;
use anyhow::Context;
use frame::CameraId;
use regions::Mask;
use serde::Deserialize;
use std::time::{Duration, Instant};
use ureq::Agent;

/// How often they are read again: a mask that is set meanwhile holds from then on.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// How long the server may take; frames wait for their masks.
const ANSWER: Duration = Duration::from_secs(5);

/// One camera's masks. What was read last holds while the server is away.
pub(super) struct Masks {
    agent: Agent,
    url: String,
    args: PushArgs,
    masks: Vec<Mask>,
    read_at: Instant,
}

/// What the server says of a camera's regions, as far as it matters here.
#[derive(Deserialize)]
struct Told {
    masks: Vec<Mask>,
}

impl Masks {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// When they cannot be read: then nobody knows what is to be hidden.
    pub(super) fn read(args: &PushArgs, camera: &CameraId) -> anyhow::Result<Self> {
        let url = args.server.url(format_args!("/cameras/{camera}/regions"));
        let config = Agent::config_builder().timeout_global(Some(ANSWER));
        let agent = args.server.agent(config)?;
        let args = args.clone();
        let mut this = Self { agent, url, args, masks: Vec::new(), read_at: Instant::now() };
        this.masks = this.ask().context(
            "nothing is saved, for nobody knows what is masked: --unmasked saves all the same",
        )?;
        Ok(this)
    }

    /// Those that hold now.
    pub(super) fn now(&mut self) -> &[Mask] {
        if self.read_at.elapsed() >= READ_AGAIN {
            if let Ok(masks) = self.ask() {
                self.masks = masks;
            }
            self.read_at = Instant::now();
        }
        &self.masks
    }

    fn ask(&self) -> anyhow::Result<Vec<Mask>> {
        let Self { agent, url, args, .. } = self;
        let asked = args.server.with_token(agent.get(url)).call();
        let mut answer = asked.map_err(|error| match error {
            ureq::Error::StatusCode(401 | 403) => anyhow::anyhow!(
                "{url}: masks are read, which needs a token with the right 'read' (mlvi token new \
                 --read)"
            ),
            ureq::Error::StatusCode(status) => anyhow::anyhow!("{url}: status {status}"),
            error => args.server.away(error, url),
        })?;
        let text = answer.body_mut().read_to_string().with_context(|| url.clone())?;
        let Told { masks } = serde_json::from_str(&text).with_context(|| url.clone())?;
        Ok(masks)
    }
}
