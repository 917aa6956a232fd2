//! `mlvi push`: send photos, videos and cameras to a running suite and print what it finds.

mod photos;
mod source;
mod tally;
mod video;
mod watch;

use crate::server::ServerArgs;
use anyhow::Context;
use backoff::Backoff;
use clap::Args;
use frame::CameraId;
use source::{Source, Video};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tally::Tally;

/// A camera that is away is tried again after this, and then less and less often.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often the line with the progress is written anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What `mlvi push` can be told.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// Photos (JPEG, PNG, WebP) and folders of them, sent one after the other; or what ffmpeg
    /// reads: video files, rtsp:// and http:// cameras, /dev/video0, synthetic:640x480. Several of
    /// the latter are sent at once, each as a camera
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// The camera that the frames count as; the second video is NAME-2, and so on
    #[arg(long, value_name = "NAME", default_value = "push")]
    camera: CameraId,
    /// How long to wait for each photo's result, and for the last ones of a video, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Print each result as one line of JSON
    #[arg(long)]
    json: bool,
    /// Fetch each photo (of videos nothing) with what was found drawn on it, and keep it in this
    /// folder as NAME.jpg
    #[arg(long, value_name = "DIR")]
    save_annotated: Option<PathBuf>,
    /// Frames a second of each video; without it, files are sent as fast as they are taken
    #[arg(long, value_name = "FPS")]
    rate: Option<f64>,
    /// Send only so many frames of each video
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
}

/// Sends everything, and prints what is found in photos and how videos went.
///
/// # Errors
/// The first photo that cannot be read, sent, or answered in time; a video that cannot be read or
/// sent; frames that got no result.
pub fn run(args: &PushArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0),
        "--rate must be above 0"
    );
    let (mut images, mut videos): (Vec<PathBuf>, Vec<Video>) = (Vec::new(), Vec::new());
    for text in &args.sources {
        match Source::of(text).with_context(|| text.clone())? {
            Source::Photos(paths) => images.extend(paths),
            Source::Video(video) => videos.push(video),
        }
    }
    photos::send_all(args, &images)?;
    if videos.is_empty() { Ok(()) } else { push_videos(args, &videos) }
}

/// Sends all videos at once.
fn push_videos(args: &PushArgs, videos: &[Video]) -> anyhow::Result<()> {
    let tally = Arc::new(Tally::new()?);
    let left = AtomicUsize::new(videos.len());
    let outcomes: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
        let senders: Vec<_> = videos
            .iter()
            .enumerate()
            .map(|(n, video)| {
                let (tally, left) = (&tally, &left);
                scope.spawn(move || {
                    let outcome = camera_name(&args.camera, n)
                        .and_then(|camera| push_video(args, video, &camera, tally));
                    left.fetch_sub(1, Ordering::Release);
                    outcome.with_context(|| video.to_string())
                })
            })
            .collect();
        let shows = std::io::stderr().is_terminal() && !args.json;
        while left.load(Ordering::Acquire) > 0 {
            std::thread::sleep(PROGRESS_EVERY);
            if shows {
                eprint!("\r\x1b[K{}", tally.line());
            }
        }
        if shows {
            eprint!("\r\x1b[K");
        }
        let panicked = |_| anyhow::anyhow!("a sender panicked");
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap_or_else(|e| Err(panicked(e))))
            .collect()
    });
    outcomes.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
    eprintln!("{}", tally.line());
    tally.verdict()
}

/// Sends one video; one that has no end again and again.
fn push_video(
    args: &PushArgs,
    video: &Video,
    camera: &CameraId,
    tally: &Arc<Tally>,
) -> anyhow::Result<()> {
    let watch = watch::Watch::start(args, camera, Arc::clone(tally))?;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let outcome = video::send(args, video, camera);
        if let Ok(summary) = &outcome {
            tally.sent(summary);
            if !video.is_live() || args.frames.is_some() {
                watch.until(summary.results(), Duration::from_secs(2));
                return Ok(());
            }
            if summary.frames.accepted > 0 {
                backoff.reset();
            }
        }
        let Err(error) = outcome else { continue };
        // what is wrong with the command line, or with this machine, does not pass
        if !video.is_live() || video::is_lasting(&error) {
            return Err(error);
        }
        let pause = backoff.next_delay();
        let error = text::with_causes(&*error);
        eprintln!("{video}: {error}; again in {} s", pause.as_secs_f64().ceil());
        std::thread::sleep(pause);
    }
}

fn camera_name(first: &CameraId, n: usize) -> anyhow::Result<CameraId> {
    if n == 0 {
        return Ok(first.clone());
    }
    let name = format!("{first}-{}", n + 1);
    name.parse().with_context(|| format!("'{name}' is no camera's name"))
}
