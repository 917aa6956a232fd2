//! `mlvi push`: send images to a running suite and print what it finds.

use anyhow::Context;
use clap::Args;
use frame::FrameResult;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `mlvi push` can be told.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// JPEG, PNG or WebP files, sent in this order
    #[arg(required = true, value_name = "FILE")]
    images: Vec<PathBuf>,
    /// The suite's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5000")]
    server: String,
    /// The camera that the frames count as
    #[arg(long, value_name = "NAME", default_value = "push")]
    camera: String,
    /// The token with which frames may be sent, if the suite wants one; better in the environment,
    /// where other users do not see it
    #[arg(long, value_name = "TOKEN", env = "MLVI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How long to wait for each result, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Print each result as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Sends the images and prints a line for each detection.
///
/// # Errors
/// The first image that cannot be read, sent, or answered in time.
pub fn run(args: &PushArgs) -> anyhow::Result<()> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // the server answers after `wait` at the latest; a little more for the way
        .timeout_global(Some(Duration::from_secs(args.wait + 10)))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    for path in &args.images {
        let text = send(&agent, args, path).with_context(|| path.display().to_string())?;
        if args.json {
            println!("{text}");
        } else {
            print_result(path, &serde_json::from_str(&text)?);
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
    let mut request = agent.post(&url).content_type("application/octet-stream");
    if let Some(token) = &args.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
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
