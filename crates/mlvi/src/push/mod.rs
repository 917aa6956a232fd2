//! `mlvi push`: send photos, videos and cameras to a running suite and print what it finds.
//!
//! Of a video or camera, `parts` come from `ffmpeg` into a `window`, whose frames go out as one
//! request (`body`) and get their results from `watch`; settled ones go to the `outputs`.

mod address;
mod admin;
mod body;
mod camera;
mod deliveries;
mod device;
mod ffmpeg;
mod list;
mod masks;
mod metrics;
mod outputs;
mod parts;
mod photos;
mod source;
mod tally;
#[cfg(test)]
mod testing;
mod watch;
mod window;

use crate::server::ServerArgs;
use anyhow::Context;
use camera::{Camera, Interrupted, Origin, Shared};
use clap::Args;
use cli::UsageError;
use deliveries::Deliveries;
use ffmpeg::FfmpegError;
use frame::CameraId;
use metrics::Metrics;
use outputs::{Coco, Film, Outputs, Pictures};
use source::Source;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Tally;
use tokio_util::sync::CancellationToken;

/// How often it is looked how the cameras do, …
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// … and the line with the progress is written anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// 128 + SIGINT, as shells count it.
const EXIT_INTERRUPTED: u8 = 130;

/// What `mlvi push` can be told.
#[derive(Clone, Debug, Args)]
pub struct PushArgs {
    /// Photos (JPEG, PNG, WebP) and folders of them, sent one after the other; or what ffmpeg
    /// reads: video files, rtsp:// and http:// cameras, /dev/video0, synthetic:640x480. Several of
    /// the latter are sent at once, each as a camera
    #[arg(required_unless_present = "cameras", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Send the cameras of this list (TOML), each a [[camera]] with a name, an address and perhaps
    /// a rate. ${NAME} in an address is the variable, or the file of --secrets, of that name
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sources", "camera", "frames", "rate"])]
    cameras: Option<PathBuf>,
    /// The folder of files that ${NAME} in addresses may stand for
    #[arg(long, value_name = "DIR", requires = "cameras")]
    secrets: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// The camera that the frames count as; the second video is NAME-2, and so on
    #[arg(long, value_name = "NAME", default_value = "push")]
    camera: CameraId,
    /// How long to wait for each result, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Print each result as one line of JSON
    #[arg(long)]
    json: bool,
    /// Keep each picture with what was found drawn on it in this folder: photos as NAME.jpg,
    /// a camera's frames as CAMERA-000000.jpg and so on (at most 100,000)
    #[arg(long, value_name = "DIR")]
    save_annotated: Option<PathBuf>,
    /// Write the video or camera with what was found drawn on it, at the rate that it has; of
    /// several the camera's name goes into the file's
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// Save pictures and videos as they were read, without asking the suite for the cameras' masks
    #[arg(long)]
    unmasked: bool,
    /// Write all detections as COCO has results, and the images that they are of to
    /// FILE.images.json
    #[arg(long, value_name = "FILE")]
    coco: Option<PathBuf>,
    /// Frames a second of each video; without it, files are sent as fast as they are taken
    #[arg(long, value_name = "FPS", value_parser = rate)]
    rate: Option<f64>,
    /// Send only so many frames of each video
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// How many frames of a video may be sent and without a result
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = in_flight)]
    in_flight: usize,
    /// Serve /livez, /readyz (whether all cameras deliver) and /metrics here
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "it must be a number above 0".into())
}

fn in_flight(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=64).contains(number));
    number.ok_or_else(|| "it must be from 1 to 64".into())
}

/// Sends everything, and prints what is found in photos and how videos went. The exit code tells
/// whether every frame got a result (0, or 1), was stopped before a file's end (130), or lacked
/// ffmpeg (69).
#[must_use]
pub fn run(args: PushArgs) -> ExitCode {
    let outcome = push(args);
    let code = outcome.as_ref().err().and_then(|error| {
        let is_absent = matches!(error.downcast_ref(), Some(FfmpegError::Absent));
        let is_interrupted = error.is::<Interrupted>();
        is_absent.then_some(cli::EXIT_UNAVAILABLE).or(is_interrupted.then_some(EXIT_INTERRUPTED))
    });
    let told = cli::exit_code("mlvi", outcome, |_| false);
    code.map_or(told, ExitCode::from)
}

fn push(args: PushArgs) -> anyhow::Result<()> {
    let (images, cameras) = match &args.cameras {
        Some(file) => (Vec::new(), listed(file)?),
        None => named(&args)?,
    };
    if args.video.is_some() && cameras.is_empty() {
        return Err(UsageError::new("--video is for videos and cameras, not for photos").into());
    }
    let coco = args.coco.as_deref().map(Coco::new).transpose()?.map(Arc::new);
    let photos = photos::send_all(&args, &images, coco.as_deref());
    let videos = photos.and_then(|()| match cameras.is_empty() {
        true => Ok(()),
        false => push_cameras(args, cameras, coco.as_ref()),
    });
    // what was found until then counts
    let written = coco.map_or(Ok(()), |coco| coco.finish());
    videos.and(written)
}

/// The cameras of the list.
fn listed(file: &Path) -> anyhow::Result<Vec<Camera>> {
    let entries = list::read(file).map_err(|error| UsageError::new(text::with_causes(&error)))?;
    let camera = |(number, list::Entry { name, address, rate }): (usize, list::Entry)| Camera {
        number,
        name,
        origin: Origin::Secret(address),
        rate,
    };
    Ok(entries.into_iter().enumerate().map(camera).collect())
}

/// The photos and cameras of the command line.
fn named(args: &PushArgs) -> anyhow::Result<(Vec<PathBuf>, Vec<Camera>)> {
    let (mut images, mut cameras): (Vec<PathBuf>, Vec<Camera>) = (Vec::new(), Vec::new());
    for text in &args.sources {
        match Source::of(text).with_context(|| address::redacted(text))? {
            Source::Photos(paths) => images.extend(paths),
            Source::Video(video) => {
                let number = cameras.len();
                let (name, origin) = (camera_name(&args.camera, number)?, Origin::Known(video));
                cameras.push(Camera { number, name, origin, rate: args.rate });
            }
        }
    }
    Ok((images, cameras))
}

/// Sends all cameras at once, to their ends or until it is stopped.
fn push_cameras(
    args: PushArgs,
    cameras: Vec<Camera>,
    coco: Option<&Arc<Coco>>,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("the async runtime")?;
    let _inside = runtime.enter();
    let _signals = unit::cancel_on_signal(stop.clone())?;
    let deliveries = Deliveries::new(cameras.iter().map(|camera| (&camera.name, camera.rate)));
    let metrics = Metrics::default();
    let admin = args.admin.map(|address| admin::Admin::start(&runtime, address, &metrics, &stop));
    let admin = admin.transpose()?;
    // frames are numbered from the time on, in ms: no two runs for a camera share numbers
    let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let first = u64::try_from(first).unwrap_or_default();
    let shows = std::io::stderr().is_terminal() && !args.json;
    let is_one = cameras.len() == 1;
    let shared = Arc::new(Shared { args, tally: Tally::new()?, stop, deliveries, metrics });
    let mut running = Vec::new();
    for camera in cameras {
        let args = &shared.args;
        let film = args.video.as_deref().map(|path| Film::new(film_path(path, &camera, is_one)));
        let outputs = Outputs {
            camera: camera.name.clone(),
            first,
            prints: args.json,
            pictures: args.save_annotated.clone().map(Pictures::new),
            film,
            coco: coco.cloned(),
            masks: None,
            fault: None,
            last: Vec::new(),
        };
        let shown = camera.shown();
        let shared = Arc::clone(&shared);
        running.push((shown, std::thread::spawn(move || camera.run(&shared, outputs))));
    }
    let mut told = Instant::now();
    while !running.iter().all(|(_, thread)| thread.is_finished()) {
        std::thread::sleep(LOOK_EVERY);
        if let Some(admin) = &admin {
            admin.tell(&shared);
        }
        if shows && told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            eprint!("\r\x1b[K{}", shared.tally.line());
        }
    }
    if shows {
        eprint!("\r\x1b[K");
    }
    let mut errors = Vec::new();
    for (shown, thread) in running {
        let panicked = |_| Err(anyhow::anyhow!("it panicked"));
        if let Err(error) = thread.join().unwrap_or_else(panicked) {
            errors.push(error.context(shown));
        }
    }
    eprintln!("{}", shared.tally.line());
    // what somebody asked for is the least of the reasons
    errors.sort_by_key(|error| error.is::<Interrupted>());
    let mut errors = errors.into_iter();
    let first = errors.next();
    errors.for_each(|error| eprintln!("mlvi: {}", text::with_causes(&*error)));
    first.map_or_else(|| shared.tally.verdict(), Err)
}

/// The file of a camera's video.
fn film_path(path: &Path, camera: &Camera, is_one: bool) -> PathBuf {
    if is_one {
        return path.into();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{stem}-{}", camera.name);
    match path.extension() {
        Some(extension) => path.with_file_name(format!("{name}.{}", extension.to_string_lossy())),
        None => path.with_file_name(name),
    }
}

fn camera_name(first: &CameraId, n: usize) -> anyhow::Result<CameraId> {
    if n == 0 {
        return Ok(first.clone());
    }
    let name = format!("{first}-{}", n + 1);
    name.parse().with_context(|| format!("'{name}' is no camera's name"))
}
