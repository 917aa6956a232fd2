//! `mlvi regions`: which parts of a camera's picture nobody may see, and which have a name, in a
//! running suite; and changing it over HTTP.

use crate::policy::{PATIENCE, Who, answer, text_of};
use crate::server::ServerArgs;
use clap::{Args, Subcommand};
use cli::table::Table;
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
    /// List the cameras that have masks or zones, with how many, and where they come from
    List {
        /// As JSON, as the server tells it
        #[arg(long)]
        json: bool,
    },
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

/// What the server says of all cameras.
#[derive(Deserialize)]
struct All {
    cameras: Vec<Summary>,
}

/// How much is set for a camera.
#[derive(Deserialize)]
struct Summary {
    camera: String,
    source: String,
    masks: usize,
    zones: usize,
    revision: Option<i64>,
    changed_by: Option<String>,
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
        RegionsCommand::List { json } => {
            let url = server.url("/regions");
            let text = answer(server, server.with_token(agent.get(&url)).call(), &url)?;
            match json {
                true => println!("{text}"),
                false => print!("{}", listed(&serde_json::from_str(&text)?)),
            }
            return Ok(());
        }
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

fn listed(All { cameras }: &All) -> String {
    if cameras.is_empty() {
        return "no camera has masks or zones\n".into();
    }
    let mut table = Table::new(&["camera", "masks", "zones", "from", "set by", "revision"]);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    for Summary { camera, source, masks, zones, revision, changed_by, .. } in cameras {
        table.row(vec![
            camera.clone(),
            masks.to_string(),
            zones.to_string(),
            source.clone(),
            or_none(changed_by.clone()),
            or_none(revision.map(|revision| revision.to_string())),
        ]);
    }
    let mut text = table.text();
    for Summary { camera, problem, .. } in cameras {
        if let Some(problem) = problem {
            text += &format!("{camera}: the record that was set cannot be used: {problem}\n");
        }
    }
    text
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
    fn cameras_are_listed_with_what_is_wrong() {
        assert_eq!(listed(&All { cameras: Vec::new() }), "no camera has masks or zones\n");
        let all = json!({"changes": "on", "cameras": [
            {"camera": "gate", "source": "topic", "masks": 2, "zones": 0, "revision": 7,
                "changed_by": "me", "changed_at": 1},
            {"camera": "yard", "source": "file", "masks": 0, "zones": 1, "problem": "it is odd"},
        ]});
        let text = listed(&serde_json::from_value(all).unwrap());
        let cells = |camera: &str| -> Vec<&str> {
            text.lines().find(|line| line.starts_with(camera)).unwrap().split_whitespace().collect()
        };
        assert_eq!(cells("gate"), ["gate", "2", "0", "topic", "me", "7"]);
        assert_eq!(cells("yard"), ["yard", "0", "1", "file", "-", "-"]);
        assert!(
            text.ends_with("yard: the record that was set cannot be used: it is odd\n"),
            "{text}"
        );
    }

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
