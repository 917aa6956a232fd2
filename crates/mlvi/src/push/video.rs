//! Sends a video: ffmpeg cuts it into JPEGs, and these go into one request as they come.

use super::PushArgs;
use super::source::Video;
use anyhow::Context;
use frame::CameraId;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long ffmpeg may take to end when its output is read no more.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the server says at the end of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) frames: Frames,
    pub(super) results: BTreeMap<String, u64>,
    pub(super) pending: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Frames {
    pub(super) accepted: u64,
    pub(super) dropped: u64,
}

impl Summary {
    /// How many frames have a result.
    pub(super) fn results(&self) -> u64 {
        self.results.values().sum()
    }
}

/// Something that does not pass by itself.
#[derive(Debug, thiserror::Error)]
enum Lasting {
    #[error(
        "ffmpeg is not there: it reads videos and cameras; apt-get install ffmpeg, or your \
         system's package of that name"
    )]
    NoFfmpeg,
    #[error("the server refuses the stream ({status}): {text}")]
    Refused { status: u16, text: String },
}

/// Whether a further try would end in the same way.
pub(super) fn is_lasting(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Lasting>().is_some()
}

/// Sends the video to its end.
pub(super) fn send(args: &PushArgs, video: &Video, camera: &CameraId) -> anyhow::Result<Summary> {
    let mut ffmpeg = Ffmpeg::start(video, args.rate, args.frames)?;
    // of a file no frame is dropped, unless it is to keep a rate
    let drop = if video.is_live() || args.rate.is_some() { "oldest" } else { "none" };
    let wait = args.wait;
    let url = args.server.url(format_args!("/cameras/{camera}/stream?drop={drop}&wait={wait}s"));
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(10)));
    let output = ffmpeg.output()?;
    let agent = args.server.agent(config)?;
    let sent = args
        .server
        .with_token(agent.post(&url))
        .content_type("video/x-motion-jpeg")
        .send(ureq::SendBody::from_owned_reader(output));
    let fault = ffmpeg.end()?;
    let mut response = sent.map_err(|error| args.server.away(error, &url))?;
    let (status, text) = (response.status().as_u16(), response.body_mut().read_to_string()?);
    match (status, fault) {
        (200, None) => Ok(serde_json::from_str(&text)?),
        (_, Some(fault)) => anyhow::bail!("ffmpeg: {fault}"),
        (408 | 429 | 500.., None) => anyhow::bail!("the server answered {status}: {text}"),
        (_, None) => Err(Lasting::Refused { status, text }.into()),
    }
}

/// A running ffmpeg, which ends with this.
struct Ffmpeg(Child);

impl Ffmpeg {
    fn start(video: &Video, rate: Option<f64>, frames: Option<u64>) -> anyhow::Result<Self> {
        let child = Command::new("ffmpeg")
            .args(video.arguments(rate, frames))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        match child {
            Ok(child) => Ok(Self(child)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Lasting::NoFfmpeg.into()),
            Err(error) => Err(error).context("ffmpeg cannot be started"),
        }
    }

    fn output(&mut self) -> anyhow::Result<impl Read + Send + 'static> {
        self.0.stdout.take().context("ffmpeg has no output")
    }

    /// Waits for its end, and gives what it complained of if it failed.
    fn end(&mut self) -> anyhow::Result<Option<String>> {
        let started = Instant::now();
        let status = loop {
            match self.0.try_wait()? {
                Some(status) => break status,
                None if started.elapsed() < GOODBYE => std::thread::sleep(GOODBYE / 100),
                // it goes on: the server has ended the stream
                None => return Ok(None),
            }
        };
        let mut said = String::new();
        if let Some(errors) = self.0.stderr.take() {
            errors.take(4096).read_to_string(&mut said)?;
        }
        let last = said.lines().last().unwrap_or("it failed without a word").to_owned();
        Ok((!status.success()).then_some(last))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // one that has ended is only waited for
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
