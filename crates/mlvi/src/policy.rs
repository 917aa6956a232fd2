//! `mlvi policy`: what decides where frames go in a running suite, and changing it over HTTP.

use crate::server::ServerArgs;
use anyhow::Context;
use clap::{Args, Subcommand};
use cli::table::Table;
use frame::{Agreement, AnnouncedAgreement, AnnouncedLearning, Announcement, MeanWithin};
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The broker acknowledges within seconds, or the server says why not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What was set is acted on within a second or two; one that is busy may take longer to say so.
const ACTED_ON_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What `mlvi policy` is told.
#[derive(Args, Debug)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Show by what each preprocessor decides now, and what was set over HTTP
    Show {
        /// As JSON, with the policies that can be chosen
        #[arg(long)]
        json: bool,
    },
    /// Let every preprocessor decide by this policy from now on, until it is cleared; the suite
    /// must allow it (MLVI_SETTINGS_CHANGES=on, or `mlvi up --settings-changes`)
    Set {
        /// A policy file (TOML, or JSON if its name ends in .json); - reads TOML from standard
        /// input
        file: PathBuf,
        /// Why, in a line
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        who: Who,
    },
    /// Take back what was set: every preprocessor decides by its own file or variables again
    Clear {
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Who {
    /// Who changes it
    #[arg(long, value_name = "NAME", env = "USER")]
    pub(crate) by: Option<String>,
}

/// What the server says of policies, as far as it is shown here.
#[derive(Deserialize)]
struct Policy {
    changes: String,
    settings_topic: bool,
    record: Option<Record>,
    preprocessors: Vec<Announcement>,
}

#[derive(Deserialize)]
struct Record {
    revision: i64,
    value: Option<String>,
    changed_by: Option<String>,
    note: Option<String>,
    problem: Option<String>,
}

/// Runs it.
///
/// # Errors
/// A file that cannot be read, a server that cannot be reached, or what it refuses.
pub fn run(args: &PolicyArgs) -> anyhow::Result<()> {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
    let policy = Place { server: &args.server, agent: args.server.agent(config)? };
    match &args.command {
        PolicyCommand::Show { json } => {
            let text = policy.get()?;
            if *json {
                println!("{text}");
            } else {
                print!("{}", shown(&serde_json::from_str(&text)?));
            }
        }
        PolicyCommand::Set { file, note, who } => {
            let (body, form) = text_of(file)?;
            let mut request = policy.agent.put(policy.url()).content_type(form);
            for (name, value) in [("note", note), ("by", &who.by)] {
                if let Some(value) = value {
                    request = request.query(name, value);
                }
            }
            let sent = args.server.with_token(request).send(&body);
            let set: Record = serde_json::from_str(&policy.answer(sent)?)?;
            println!("{}", acted_on(&policy, set.revision)?);
        }
        PolicyCommand::Clear { who } => {
            let mut request = args.server.with_token(policy.agent.delete(policy.url()));
            if let Some(by) = &who.by {
                request = request.query("by", by);
            }
            policy.answer(request.call())?;
            println!("cleared: every preprocessor decides by its own file or variables again");
        }
    }
    Ok(())
}

/// Waits until every preprocessor acts on what was set, or says why not.
fn acted_on(place: &Place<'_>, revision: i64) -> anyhow::Result<String> {
    let started = Instant::now();
    loop {
        let policy: Policy = serde_json::from_str(&place.get()?)?;
        if let Some(outcome) = outcome(&policy.preprocessors, revision) {
            return outcome;
        }
        if started.elapsed() > ACTED_ON_WITHIN {
            return Ok(format!(
                "set, as revision {revision}, but not every preprocessor has said that it acts on \
                 it: `mlvi policy show` tells"
            ));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// What has become of a revision; `None` while somebody has not said anything.
fn outcome(preprocessors: &[Announcement], revision: i64) -> Option<anyhow::Result<String>> {
    let refusal = preprocessors.iter().find_map(|said| {
        let error = said.error.as_ref().filter(|error| error.revision == Some(revision))?;
        Some((&said.instance, &error.problem))
    });
    if let Some((instance, problem)) = refusal {
        let advice = "what decided before still does; `mlvi policy clear` takes it back";
        return Some(Err(anyhow::anyhow!("{instance} cannot use it: {problem}; {advice}")));
    }
    // one that is newer was set meanwhile
    let all = preprocessors.iter().all(|said| said.revision >= Some(revision));
    let count = preprocessors.len();
    (all && count > 0).then(|| {
        Ok(format!("set, as revision {revision}: {count} preprocessor(s) decide by it now"))
    })
}

/// The text of a file of settings and its media type.
pub(crate) fn text_of(path: &Path) -> anyhow::Result<(String, &'static str)> {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| path.display().to_string())?
    };
    Ok((text, if is_json { "application/json" } else { "application/toml" }))
}

/// The body of an answer; a refusal with its place, and what to do where that is known.
pub(crate) fn answer(
    server: &ServerArgs,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    url: &str,
) -> anyhow::Result<String> {
    let mut response = response.map_err(|error| server.away(error, url))?;
    let text = response.body_mut().read_to_string()?;
    if response.status().is_success() {
        return Ok(text);
    }
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or(&text);
    let status = response.status().as_u16();
    anyhow::bail!("the server answered {status}: {detail}{}", place(&problem))
}

/// Where the policy is asked for and changed.
struct Place<'a> {
    server: &'a ServerArgs,
    agent: ureq::Agent,
}

impl Place<'_> {
    fn url(&self) -> String {
        self.server.url("/policy")
    }

    fn get(&self) -> anyhow::Result<String> {
        self.answer(self.server.with_token(self.agent.get(self.url())).call())
    }

    fn answer(
        &self,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<String> {
        answer(self.server, response, &self.url())
    }
}

/// Where in the file something is wrong, in words.
fn place(problem: &Value) -> String {
    let line = problem["line"].as_u64().map(|line| format!("line {line}"));
    let key = problem["key"].as_str().map(str::to_owned);
    let place: Vec<String> = line.into_iter().chain(key).collect();
    if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) }
}

/// How far edge and cloud agree, overall and by camera.
fn agreement(instance: &str, told: &AnnouncedAgreement) -> String {
    let within = |known: Option<MeanWithin>| match known {
        Some(MeanWithin { mean, low, high }) => {
            format!("{:.1} % ({:.1}-{:.1})", 100.0 * mean, 100.0 * low, 100.0 * high)
        }
        None => "-".to_owned(),
    };
    let mut table = Table::new(&["CAMERA", "STAYS: AGREES", "ALL: AGREES", "HARD", "AUDITS"]);
    let mut row = |name: &str, known: &Agreement| {
        table.row(vec![
            name.to_owned(),
            within(known.easy),
            within(known.all),
            format!("{:.1} %", 100.0 * known.hard_share),
            format!("{:.0}", known.audits),
        ]);
    };
    row("(all)", &told.all);
    for one in &told.cameras {
        row(one.camera.as_str(), &one.agreement);
    }
    let learned = told.learned.map_or_else(String::new, |learned| {
        let AnnouncedLearning { lessons, cameras, found_again } = learned;
        format!(
            "\n{instance}: which frames are worth sending was learned from {lessons} answers of the \
             cloud, of {cameras} cameras, {found_again} of them known from before\n"
        )
    });
    format!("\n{instance}: how far the edge agrees with the cloud\n{}{learned}", table.text())
}

fn shown(policy: &Policy) -> String {
    let Policy { changes, settings_topic, record, preprocessors } = policy;
    let mut text = match record {
        None => "nothing is set over HTTP".to_owned(),
        Some(Record { revision, problem: Some(problem), .. }) => {
            format!("what was set (revision {revision}) cannot be read: {problem}")
        }
        Some(Record { revision, value, changed_by, note, problem: None }) => {
            let by = changed_by.as_deref().unwrap_or("?");
            let note = note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
            let value = value.as_deref().unwrap_or_default().trim_end();
            format!("set by {by}{note}, revision {revision}:\n\n{value}\n")
        }
    };
    text += if changes == "on" { "\n" } else { "\nchanges over HTTP are off\n" };
    if !settings_topic {
        text += "the settings topic is not there: nothing can be set or shown\n";
    }
    if preprocessors.is_empty() {
        return text + "no preprocessor was heard of\n";
    }
    let mut table = Table::new(&["PREPROCESSOR", "POLICY", "SOURCE", "REVISION", "EDGE", "CLOUD"]);
    for said in preprocessors {
        let revision = said.revision.map_or_else(|| "-".into(), |revision| revision.to_string());
        let breaker = |state: &Option<String>| state.clone().unwrap_or_else(|| "-".into());
        table.row(vec![
            said.instance.clone(),
            said.policy.clone(),
            said.source.as_str().into(),
            revision,
            breaker(&said.breakers.edge),
            breaker(&said.breakers.cloud),
        ]);
    }
    text += &table.text();
    for said in preprocessors {
        if let Some(told) = &said.agreement {
            text += &agreement(&said.instance, told);
        }
    }
    for said in preprocessors {
        if let Some(error) = &said.error {
            text += &format!("{}: {}\n", said.instance, error.problem);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{AnnouncedError, Expiring, PerTier, PolicyOrigin, Timestamp};
    use serde_json::json;

    fn said(instance: &str, revision: Option<i64>, refused: Option<i64>) -> Announcement {
        let error = refused.map(|refused| AnnouncedError {
            revision: Some(refused),
            ..AnnouncedError::new(PolicyOrigin::Topic, "there is no policy 'coin'")
        });
        Announcement {
            version: Announcement::VERSION,
            instance: instance.into(),
            policy: "ratio".into(),
            source: PolicyOrigin::Topic,
            revision,
            settings: "policy = \"ratio\"\n".into(),
            since: Timestamp::now(),
            breakers: PerTier { edge: Some("closed".into()), cloud: Some("open".into()) },
            error,
            agreement: None,
            sent_at: Timestamp::now(),
            expires_at: Timestamp::now(),
        }
    }

    #[test]
    fn what_was_set_is_acted_on_by_all_or_refused_by_one() {
        assert!(outcome(&[], 7).is_none());
        assert!(outcome(&[said("a", Some(7), None), said("b", Some(6), None)], 7).is_none());
        assert!(outcome(&[said("a", None, Some(6))], 7).is_none());
        let all = outcome(&[said("a", Some(7), None), said("b", Some(8), None)], 7);
        assert!(all.unwrap().unwrap().contains("2 preprocessor(s)"));
        let refused = outcome(&[said("a", Some(7), None), said("b", None, Some(7))], 7);
        let refused = refused.unwrap().unwrap_err().to_string();
        assert!(refused.contains("b cannot use it: there is no policy 'coin'"), "{refused}");
    }

    #[test]
    fn who_decides_by_what_is_shown_with_what_is_wrong() {
        let said = said("pod.1", Some(7), Some(8));
        let record = json!({"revision": 7, "value": "policy = 'ratio'", "changed_by": "me",
            "changed_at": 1, "note": "a try"});
        let policy = json!({"changes": "on", "settings_topic": true, "record": record,
            "preprocessors": [said], "policies": []});
        let text = shown(&serde_json::from_value(policy).unwrap());
        for part in [
            "set by me (a try), revision 7:\n\npolicy = 'ratio'\n",
            "pod.1          ratio   topic         7  closed   open",
            "pod.1: there is no policy 'coin'",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let nothing = json!({"changes": "off", "settings_topic": false, "preprocessors": []});
        let text = shown(&serde_json::from_value(nothing).unwrap());
        for part in ["nothing is set", "changes over HTTP are off", "no preprocessor was heard of"]
        {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_where() {
        assert_eq!(place(&json!({"line": 3, "key": "ratio.share"})), " (line 3, ratio.share)");
        assert_eq!(place(&json!({})), "");
    }
}
