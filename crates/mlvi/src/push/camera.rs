//! One camera: ffmpeg's frames go into one request as they come, and again when that has ended.

use super::PushArgs;
use super::address;
use super::body::{Body, CONTENT_TYPE};
use super::deliveries::Deliveries;
use super::ffmpeg::{Ffmpeg, FfmpegError};
use super::masks::Masks;
use super::metrics::Metrics;
use super::outputs::Outputs;
use super::parts::Parts;
use super::photos::told;
use super::source::{Source, Video};
use super::tally::Tally;
use super::watch::{Away, Heard, Watch, may_pass};
use super::window::{Outcome, Rules, Window};
use crate::server::ServerArgs;
use anyhow::Context;
use backoff::Backoff;
use frame::CameraId;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use ureq::Agent;

/// A camera that is away is tried again after this, and then less and less often.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often it is looked how a camera does.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A camera that gives no picture for so long, or for three at its rate, hangs.
const SILENCE: Duration = Duration::from_secs(30);
/// How long what is over already may take: ffmpeg's end, the server's answer, the last results.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long the server may take to let us connect.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long it may take nothing of a live camera's stream: its results come over another connection,
/// perhaps of another replica, and tell nothing of this one. A file, which would not be tried again,
/// waits on: the server reads no further while the broker is away, too.
const TAKING: Duration = Duration::from_secs(60);
/// The server holds two frames beside those in flight: the one that comes in and the one that
/// waits.
const BESIDE: usize = 2;
/// When a source does not tell its rate: what most cameras have.
const USUAL_RATE: f64 = 25.0;

/// Where frames come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Known(Video),
    /// An address with secrets in it, which are looked up at each start.
    Secret(String),
}

/// One camera, and under which name it is sent.
#[derive(Clone, Debug)]
pub(super) struct Camera {
    pub(super) number: usize,
    pub(super) name: CameraId,
    pub(super) origin: Origin,
    pub(super) rate: Option<f64>,
}

/// What all cameras share.
pub(super) struct Shared {
    pub(super) args: PushArgs,
    pub(super) tally: Tally,
    pub(super) stop: CancellationToken,
    pub(super) deliveries: Deliveries,
    pub(super) metrics: Metrics,
}

/// It was stopped before the end of a file.
#[derive(Debug, thiserror::Error)]
#[error("stopped before the end")]
pub(super) struct Interrupted;

/// The server will not take the stream.
#[derive(Debug, thiserror::Error)]
#[error("the server refuses the stream: {0}")]
struct Refused(String);

/// What the server says at the end of a stream.
#[derive(Debug, Deserialize)]
struct Summary {
    ended_by: String,
}

impl Camera {
    /// For people.
    pub(super) fn shown(&self) -> String {
        match &self.origin {
            Origin::Known(video) => video.to_string(),
            Origin::Secret(_) => self.name.to_string(),
        }
    }

    fn video(&self, args: &PushArgs) -> anyhow::Result<Video> {
        let template = match &self.origin {
            Origin::Known(video) => return Ok(video.clone()),
            Origin::Secret(template) => template,
        };
        let secret = |name: &str| address::secret(name, args.secrets.as_deref());
        match Source::of(&address::expand(template, secret)?)? {
            Source::Video(video) => Ok(video),
            Source::Photos(_) => anyhow::bail!("photos are no camera"),
        }
    }

    /// Sends it to its end; one that has none until it is stopped.
    ///
    /// # Errors
    /// What ended it too early, and an output that could not be written.
    pub(super) fn run(&self, shared: &Arc<Shared>, outputs: Outputs) -> anyhow::Result<()> {
        let mut next = outputs.first;
        let mut outputs = outputs;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let outcome = loop {
            let before = next;
            let outcome;
            (outputs, outcome) = self.attempt(shared, outputs, &mut next);
            if shared.stop.is_cancelled() {
                break outcome;
            }
            // what is wrong with the command line, or with this machine, does not pass
            let is_over = match &outcome {
                Ok(ended) => !ended.is_live || shared.args.frames.is_some(),
                Err(error) => {
                    let is_absent = matches!(error.downcast_ref(), Some(FfmpegError::Absent));
                    let is_refused = error.is::<Refused>() && shared.args.cameras.is_none();
                    // whoever sends a list goes on until it is stopped
                    let is_away = error.is::<Away>() && shared.args.cameras.is_some();
                    is_absent || is_refused || !(is_away || self.comes_again(shared))
                }
            };
            if is_over {
                break outcome;
            }
            if next > before {
                backoff.reset();
            }
            let pause = backoff.next_delay();
            let why = match &outcome {
                Ok(_) => "it has ended".to_owned(),
                Err(error) => address::redacted(&text::with_causes(&**error)),
            };
            eprintln!("{}: {why}; again in {} s", self.shown(), pause.as_secs_f64().ceil());
            if wait(&shared.stop, pause) {
                break Ok(Ended { is_live: true });
            }
        };
        let finished = outputs.finish();
        match outcome {
            Err(error) => Err(error),
            Ok(_) => finished,
        }
    }

    /// Whether a failure may pass: a camera's, but not a file's.
    fn comes_again(&self, shared: &Shared) -> bool {
        match &self.origin {
            Origin::Known(video) => video.is_live(),
            // its secret may come later
            Origin::Secret(_) => self.video(&shared.args).map_or(true, |video| video.is_live()),
        }
    }

    /// One start of ffmpeg and one request.
    fn attempt(
        &self,
        shared: &Arc<Shared>,
        mut outputs: Outputs,
        next: &mut u64,
    ) -> (Outputs, anyhow::Result<Ended>) {
        let started = self.video(&shared.args).and_then(|video| {
            if outputs.wants_pictures() && outputs.masks.is_none() && !shared.args.unmasked {
                outputs.masks = Some(Masks::read(&shared.args.server, &self.name)?);
            }
            let watch = Watch::start(&shared.args, &self.name)?;
            let agent = sender(&shared.args.server, video.is_live())?;
            let arguments = video.arguments(self.rate, shared.args.frames);
            let (ffmpeg, output) = Ffmpeg::reader(&arguments)?;
            Ok((video, watch, agent, ffmpeg, output))
        });
        let (video, watch, agent, ffmpeg, output) = match started {
            Ok(started) => started,
            Err(error) => return (outputs, Err(error)),
        };
        let args = &shared.args;
        let keeps_all = !video.is_live() && self.rate.is_none();
        let rules = Rules {
            in_flight: args.in_flight + BESIDE,
            keeps_all,
            keeps_pictures: outputs.wants_pictures(),
            patience: Duration::from_secs(args.wait),
        };
        let window = Arc::new(Window::new(rules, *next));
        let ffmpeg = Arc::new(ffmpeg);
        let reader = {
            let window = Arc::clone(&window);
            std::thread::spawn(move || {
                let read = read(Parts::new(output), &window);
                window.complete();
                read
            })
        };
        let writer = {
            let (window, ffmpeg, shared) = (window.clone(), ffmpeg.clone(), shared.clone());
            let (number, rate) = (self.number, self.rate);
            std::thread::spawn(move || write(&window, &ffmpeg, &shared, number, rate, outputs))
        };
        let (heard, agents) = (watch.heard(), [watch.agent(), agent.clone()]);
        {
            let window = Arc::clone(&window);
            std::thread::spawn(move || watch.follow(&window));
        }
        let sent = self.send(shared, agent, &window);
        let silence = video.is_live().then(|| {
            let three = self.rate.map_or(0.0, |rate| 3.0 / rate);
            SILENCE.max(Duration::try_from_secs_f64(three).unwrap_or(Duration::MAX))
        });
        let has_end = video.has_end() || args.frames.is_some();
        let attempt = Attempt { shared, window: &window, ffmpeg: &ffmpeg, heard, silence, has_end };
        let outcome = attempt.watch(&sent, &reader);
        window.close();
        ffmpeg.kill();
        // whoever still waits for the server does so no longer
        agents.into_iter().for_each(Agent::shutdown);
        let read = reader.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the reader panicked")));
        *next = window.next_number();
        let outputs = writer.join();
        let outcome = outcome.and(read).map(|()| Ended { is_live: video.is_live() });
        match outputs {
            Ok(outputs) => (outputs, outcome),
            Err(_) => (Outputs::lost(&self.name), Err(anyhow::anyhow!("the writer panicked"))),
        }
    }

    /// Sends what the window gives, on a thread of its own: nothing interrupts the request.
    fn send(
        &self,
        shared: &Arc<Shared>,
        agent: Agent,
        window: &Arc<Window>,
    ) -> Receiver<anyhow::Result<()>> {
        let (sender, receiver) = channel();
        let (shared, window, name) = (shared.clone(), window.clone(), self.name.clone());
        std::thread::spawn(move || {
            // of a camera that gives nothing there is nothing to be told
            let sent = match window.has_begun() {
                true => post(&shared.args, &agent, &name, window),
                false => Ok(()),
            };
            // whoever waits for it may be gone
            let _ = sender.send(sent);
        });
        receiver
    }
}

/// How an attempt has ended, if well.
struct Ended {
    is_live: bool,
}

/// A stream on its way.
struct Attempt<'a> {
    shared: &'a Shared,
    window: &'a Window,
    ffmpeg: &'a Ffmpeg,
    heard: Heard,
    /// How long the camera may give no picture.
    silence: Option<Duration>,
    /// Its last frame is known.
    has_end: bool,
}

impl Attempt<'_> {
    /// Waits for the server's answer, and ends ffmpeg when that is due.
    fn watch(
        &self,
        sent: &Receiver<anyhow::Result<()>>,
        reader: &JoinHandle<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut stopped: Option<Instant> = None;
        let mut closed: Option<Instant> = None;
        let (mut was_cut, mut was_silent, mut gone) = (false, false, None);
        let patience = Duration::from_secs(self.shared.args.wait).min(Duration::from_secs(10));
        let answer = loop {
            match sent.recv_timeout(LOOK_EVERY) {
                Ok(answer) => break Some(answer),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the sender panicked"),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.shared.stop.is_cancelled() && stopped.is_none() {
                stopped = Some(Instant::now());
                was_cut = !reader.is_finished();
                self.ffmpeg.kill();
            }
            if self.silence.is_some_and(|silence| self.window.silence() > silence) {
                was_silent = true;
                self.ffmpeg.kill();
            }
            if let Some(within) = self.heard.is_gone().filter(|_| closed.is_none()) {
                gone = Some(within);
                self.window.close();
            }
            if self.window.is_closed() && closed.is_none() {
                closed = Some(Instant::now());
                self.ffmpeg.kill();
            }
            let is_over =
                |since: Option<Instant>, most| since.is_some_and(|at| at.elapsed() > most);
            if is_over(stopped, patience + GOODBYE) || is_over(closed, GOODBYE) {
                break None;
            }
        };
        if was_cut && self.has_end {
            self.window.until_answered(GOODBYE);
            return Err(Interrupted.into());
        }
        if let Some(within) = gone {
            let seconds = within.as_secs_f64();
            anyhow::bail!(
                "the server has said nothing for {seconds} s: it, or the network between, is gone"
            );
        }
        match answer {
            Some(Ok(())) => self.window.until_answered(GOODBYE),
            // whatever became of the request then
            Some(Err(_)) if closed.is_some() && stopped.is_none() => return Err(left_alone()),
            Some(Err(error)) => return Err(error),
            None if stopped.is_some() => {}
            None => return Err(left_alone()),
        }
        if was_silent {
            anyhow::bail!("it gave no picture for {} s", SILENCE.as_secs());
        }
        if stopped.is_some() {
            return Ok(());
        }
        if self.window.is_closed() {
            return Err(left_alone());
        }
        Ok(self.ffmpeg.end(GOODBYE)?)
    }
}

fn left_alone() -> anyhow::Error {
    anyhow::anyhow!("the server has ended the results: it shuts down, or is gone")
}

fn read(mut parts: Parts<impl std::io::Read>, window: &Window) -> anyhow::Result<()> {
    while let Some(jpeg) = parts.next().context("ffmpeg's frames")? {
        if !window.offer(jpeg) {
            break;
        }
    }
    Ok(())
}

fn write(
    window: &Window,
    ffmpeg: &Ffmpeg,
    shared: &Shared,
    number: usize,
    rate: Option<f64>,
    mut outputs: Outputs,
) -> Outputs {
    while let Some(settled) = window.settled() {
        shared.tally.settled(&settled.outcome);
        shared.metrics.settled(&settled.outcome);
        if matches!(settled.outcome, Outcome::Result(_)) {
            shared.deliveries.delivered(number);
        }
        outputs.take(&settled, || rate.or_else(|| ffmpeg.rate(GOODBYE)).unwrap_or(USUAL_RATE));
    }
    outputs
}

/// The client that sends the frames.
fn sender(server: &ServerArgs, is_live: bool) -> anyhow::Result<Agent> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECTING))
        .timeout_per_write(is_live.then_some(TAKING));
    server.agent(config)
}

fn post(
    args: &PushArgs,
    agent: &Agent,
    camera: &CameraId,
    window: Arc<Window>,
) -> anyhow::Result<()> {
    let (in_flight, wait) = (args.in_flight, args.wait);
    let query = format!("drop=none&in_flight={in_flight}&wait={wait}s");
    let url = args.server.url(format_args!("/cameras/{camera}/stream?{query}"));
    let request = args.server.with_token(agent.post(&url)).content_type(CONTENT_TYPE);
    let sent = request.send(ureq::SendBody::from_owned_reader(Body::new(window)));
    let mut response = sent.map_err(|error| args.server.away(error, &url))?;
    let (status, text) = (response.status().as_u16(), response.body_mut().read_to_string()?);
    match status {
        200 => {
            let Summary { ended_by } = serde_json::from_str(&text)?;
            anyhow::ensure!(ended_by == "complete", "the server has ended the stream: {ended_by}");
            Ok(())
        }
        _ if may_pass(status) => Err(anyhow::Error::msg(told(status, &text))),
        _ => Err(Refused(told(status, &text)).into()),
    }
}

/// Waits so long; `true` when the stop came meanwhile.
fn wait(stop: &CancellationToken, pause: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < pause && !stop.is_cancelled() {
        std::thread::sleep(LOOK_EVERY);
    }
    stop.is_cancelled()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_camera_gives_a_server_up_that_takes_nothing() {
        let server = ServerArgs::of("http://127.0.0.1:9/".into());
        for (is_live, most) in [(true, Some(TAKING)), (false, None)] {
            let agent = sender(&server, is_live).unwrap();
            assert_eq!(agent.config().timeout_per_write(), most);
        }
    }
}
