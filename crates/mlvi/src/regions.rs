//! `mlvi regions`: which parts of a camera's picture nobody may see, and which have a name, in a
//! running suite; and changing it over HTTP.

use crate::policy::{PATIENCE, Who, answer, text_of};
use crate::server::ServerArgs;
use clap::{Args, Subcommand};
use serde::Deserialize;
use std::path::PathBuf;

/// What `mlvi regions` is told.
#[derive(Args, Debug)]
pub struct RegionsArgs {
    #[command(subcommand)]
    command: RegionsCommand,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum RegionsCommand {
    /// Show a camera's masks and zones, and where they come from
    Show {
        /// The camera
        camera: String,
        /// As JSON, as the server tells it
        #[arg(long)]
        json: bool,
    },
    /// Replace a camera's masks and zones, until they are cleared; the suite must allow it
    /// (MLVI_SETTINGS_CHANGES=on, or `mlvi up --settings-changes`)
    Set {
        /// The camera
        camera: String,
        /// A file with [[masks]] and [[zones]], each with `points` (and a `name`): TOML, or JSON if
        /// its name ends in .json; - reads TOML from standard input
        file: PathBuf,
        /// Why, in a line
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        who: Who,
    },
    /// Take back what was set: what the regions file says holds again
    Clear {
        /// The camera
        camera: String,
        #[command(flatten)]
        who: Who,
    },
}

/// What the server says of a camera, as far as it is shown here.
#[derive(Deserialize)]
struct Shown {
    camera: String,
    source: String,
    masks: Vec<Region>,
    zones: Vec<Region>,
    revision: Option<i64>,
    changed_by: Option<String>,
    note: Option<String>,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Region {
    name: Option<String>,
    points: Vec<[f64; 2]>,
}

/// Runs it.
///
/// # Errors
/// A file that cannot be read, a server that cannot be reached, or what it refuses.
pub fn run(args: &RegionsArgs) -> anyhow::Result<()> {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
    let server = &args.server;
    let agent = server.agent(config)?;
    let url = |camera: &str| -> anyhow::Result<String> {
        // what it may be made of needs no escaping
        let camera: frame::CameraId = camera.parse()?;
        Ok(server.url(format_args!("/cameras/{camera}/regions")))
    };
    let text = match &args.command {
        RegionsCommand::Show { camera, json } => {
            let url = url(camera)?;
            let text = answer(server, server.with_token(agent.get(&url)).call(), &url)?;
            if *json {
                println!("{text}");
                return Ok(());
            }
            text
        }
        RegionsCommand::Set { camera, file, note, who } => {
            let url = url(camera)?;
            let (body, form) = text_of(file)?;
            let mut request = agent.put(&url).content_type(form);
            for (name, value) in [("note", note), ("by", &who.by)] {
                if let Some(value) = value {
                    request = request.query(name, value);
                }
            }
            answer(server, server.with_token(request).send(&body), &url)?
        }
        RegionsCommand::Clear { camera, who } => {
            let url = url(camera)?;
            let mut request = agent.delete(&url);
            if let Some(by) = &who.by {
                request = request.query("by", by);
            }
            answer(server, server.with_token(request).call(), &url)?
        }
    };
    print!("{}", shown(&serde_json::from_str(&text)?));
    Ok(())
}

fn shown(shown: &Shown) -> String {
    let Shown { camera, source, masks, zones, revision, changed_by, note, problem } = shown;
    let mut text = match source.as_str() {
        "topic" => {
            let by = changed_by.as_deref().unwrap_or("?");
            let note = note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
            let revision = revision.map_or_else(String::new, |it| format!(", revision {it}"));
            format!("{camera}: set by {by}{note}{revision}\n")
        }
        "file" => format!("{camera}: from the regions file\n"),
        _ => format!("{camera}: nothing is set\n"),
    };
    if let Some(problem) = problem {
        text += &format!("the record that was set cannot be used: {problem}\n");
    }
    for (kind, regions) in [("mask", masks), ("zone", zones)] {
        for Region { name, points } in regions {
            let name = name.as_ref().map_or_else(String::new, |name| format!(" '{name}'"));
            let points: Vec<String> =
                points.iter().map(|[x, y]| format!("[{x:.3}, {y:.3}]")).collect();
            text += &format!("  {kind}{name}: {}\n", points.join(" "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_holds_is_shown_with_where_it_comes_from() {
        let points = json!([[0, 0], [0.5, 0], [0.5, 0.25]]);
        let of = |source: &str| {
            let answer = json!({"camera": "gate", "changes": "on", "source": source,
                "masks": [{"points": points}], "zones": [{"name": "drive", "points": points}],
                "revision": 7, "changed_by": "me", "note": "a try", "problem": null});
            shown(&serde_json::from_value(answer).unwrap())
        };
        let corners = "[0.000, 0.000] [0.500, 0.000] [0.500, 0.250]";
        let list = format!("  mask: {corners}\n  zone 'drive': {corners}\n");
        assert_eq!(of("topic"), format!("gate: set by me (a try), revision 7\n{list}"));
        assert_eq!(of("file"), format!("gate: from the regions file\n{list}"));
        let nothing = json!({"camera": "gate", "source": "none", "masks": [], "zones": [],
            "problem": "it is of another release"});
        let text = shown(&serde_json::from_value(nothing).unwrap());
        let problem = "the record that was set cannot be used: it is of another release";
        assert_eq!(text, format!("gate: nothing is set\n{problem}\n"));
    }
}
