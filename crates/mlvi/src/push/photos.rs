//! Sends photos one after the other, and prints what is found in them.

use super::PushArgs;
use super::outputs::Coco;
use crate::annotated;
use frame::FrameResult;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Sends the images and prints a line for each detection.
///
/// # Errors
/// The first image that cannot be read or sent; after all of them, if some got no result.
pub(super) fn send_all(
    args: &PushArgs,
    images: &[PathBuf],
    coco: Option<&Coco>,
) -> anyhow::Result<()> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // the server answers after `wait` at the latest; a little more for the way
        .timeout_global(Some(Duration::from_secs(args.wait + 10)));
    let agent = args.server.agent(config)?;
    let (mut failed, mut saved) = (0, HashMap::new());
    for path in images {
        let text = match send(&agent, args, path) {
            Ok(text) => text,
            // the others may be fine; nobody answering is nobody for all
            Err(error) if error.downcast_ref::<Refused>().is_some() => {
                eprintln!("{}: {}", path.display(), text::with_causes(&*error));
                failed += 1;
                continue;
            }
            Err(error) => return Err(error.context(path.display().to_string())),
        };
        let result: FrameResult = serde_json::from_str(&text)?;
        if args.json {
            println!("{text}");
        } else {
            print_result(path, &result);
        }
        if let Some(dir) = &args.save_annotated {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            // photos of one name in several folders
            let same = saved.entry(stem.clone().into_owned()).or_insert(0);
            *same += 1;
            let name = if *same == 1 { stem.into_owned() } else { format!("{stem}-{same}") };
            let request = |url: &str| args.server.with_token(agent.get(url));
            annotated::save(request, args.server.address(), result.frame_id, dir, &name)?;
        }
        if let Some(coco) = coco {
            coco.photo(&path.file_name().unwrap_or_default().to_string_lossy(), &result)?;
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} photos got no result", images.len());
    Ok(())
}

/// The server's word on one photo, which says nothing of the next.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

/// What a full server says about when to come again; else this.
const AGAIN: Duration = Duration::from_secs(1);

fn send(agent: &ureq::Agent, args: &PushArgs, path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path)?;
    let url = args.server.url(format_args!("/cameras/{}/frames?wait={}s", args.camera, args.wait));
    let started = Instant::now();
    loop {
        let request = args.server.with_token(agent.post(&url));
        let sent = request.content_type("application/octet-stream").send(&bytes[..]);
        let mut response = sent.map_err(|error| args.server.away(error, &url))?;
        let status = response.status().as_u16();
        let again = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let again = again.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let text = response.body_mut().read_to_string()?;
        match status {
            200 => return Ok(text),
            202 => return Err(Refused(format!("no result within {} s", args.wait)).into()),
            // frames are taken again when some have been answered
            429 | 503 if started.elapsed() < Duration::from_secs(args.wait) => {
                std::thread::sleep(again.unwrap_or(AGAIN));
            }
            _ => return Err(Refused(told(status, &text)).into()),
        }
    }
}

/// A problem document in words.
pub(super) fn told(status: u16, text: &str) -> String {
    let problem: Option<frame::Problem> = serde_json::from_str(text).ok();
    match problem {
        Some(problem) => format!("{} ({status}): {}", problem.title, problem.detail),
        None => format!("the server answered {status}: {text}"),
    }
}

fn print_result(path: &Path, result: &FrameResult) {
    let decision = result.decision.as_ref().map_or(String::new(), |decision| {
        format!("{} ({})", decision.destination, decision.reason)
    });
    let total_ms = result.timings_ms.end_to_end.unwrap_or_default();
    println!(
        "{}: {} found in {total_ms:.0} ms, by {decision}",
        path.display(),
        result.detections.len()
    );
    for detection in &result.detections {
        let place = &detection.bounding_box;
        println!(
            "  {:<16} {:>5.1} %   x {:.0}, y {:.0}, {:.0} x {:.0} px",
            detection.class,
            detection.confidence * 100.0,
            place.x,
            place.y,
            place.width,
            place.height
        );
    }
}
