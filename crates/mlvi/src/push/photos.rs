//! Sends photos one after the other, and prints what is found in them.

use super::PushArgs;
use crate::annotated;
use anyhow::Context;
use frame::FrameResult;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Sends the images and prints a line for each detection.
///
/// # Errors
/// The first image that cannot be read, sent, or answered in time.
pub(super) fn send_all(args: &PushArgs, images: &[PathBuf]) -> anyhow::Result<()> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // the server answers after `wait` at the latest; a little more for the way
        .timeout_global(Some(Duration::from_secs(args.wait + 10)))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    for path in images {
        let text = send(&agent, args, path).with_context(|| path.display().to_string())?;
        let result: FrameResult = serde_json::from_str(&text)?;
        if args.json {
            println!("{text}");
        } else {
            print_result(path, &result);
        }
        if let Some(dir) = &args.save_annotated {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let request = |url: &str| args.with_token(agent.get(url));
            annotated::save(request, &args.server, result.frame_id, dir, &name)?;
        }
    }
    Ok(())
}

fn send(agent: &ureq::Agent, args: &PushArgs, path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path)?;
    let url = format!(
        "{}/cameras/{}/frames?wait={}s",
        args.server.trim_end_matches('/'),
        args.camera,
        args.wait
    );
    let request = args.with_token(agent.post(&url)).content_type("application/octet-stream");
    let mut response = request.send(&bytes[..]).with_context(|| url.clone())?;
    let status = response.status();
    let text = response.body_mut().read_to_string()?;
    match status.as_u16() {
        200 => Ok(text),
        202 => anyhow::bail!("no result within {} s: {text}", args.wait),
        _ => anyhow::bail!("the server answered {status}: {text}"),
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
