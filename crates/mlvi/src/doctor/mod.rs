//! `mlvi doctor`: what of this machine is fine, what is not, and how to mend it.

mod broker;
mod disk;
mod finding;
mod kubernetes;
mod machine;
mod model;
mod port;
mod programs;
mod variables;

use clap::Args;
use finding::{Finding, State};
use serde_json::json;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// What is looked at.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mlvi doctor
  mlvi doctor --broker kafka:9092 --model yolov3-tiny-int8
  mlvi doctor --json | jq '.[] | select(.state != \"fine\")'

Exit codes: 0 nothing is in the way of `mlvi up`, 1 something is.")]
pub struct DoctorArgs {
    /// The model that is to run
    #[arg(long, value_name = "NAME", env = "MLVI_MODEL", default_value = "yolov3-tiny")]
    model: String,
    /// The HTTP port that `mlvi up` is to have
    #[arg(long, default_value_t = 5000)]
    port: u16,
    /// A Kafka broker that is to be used instead of the embedded one
    #[arg(long, value_name = "HOST:PORT", env = "MLVI_BROKERS")]
    broker: Option<String>,
    /// Where the embedded broker is to keep its data
    #[arg(long, value_name = "DIR", default_value = ".mlvi/broker")]
    data_dir: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and prints what it found.
///
/// # Errors
/// When something is in the way of `mlvi up`; what it is was printed.
pub fn run(args: &DoctorArgs, models_dir: &Path) -> anyhow::Result<()> {
    let findings = look(args, models_dir);
    if args.json {
        let objects: Vec<_> = findings.iter().map(Finding::to_json).collect();
        println!("{}", serde_json::to_string_pretty(&json!(objects))?);
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        for finding in &findings {
            print!("{}", finding.text(colour));
        }
    }
    let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
    anyhow::ensure!(wrong == 0, "{wrong} of {} points are in the way", findings.len());
    Ok(())
}

fn look(args: &DoctorArgs, models_dir: &Path) -> Vec<Finding> {
    let mut findings = vec![
        machine::processor(),
        machine::memory(),
        machine::descriptors(),
        model::look(models_dir, &args.model),
    ];
    match &args.broker {
        Some(brokers) => findings.push(broker::look(brokers)),
        None => findings.extend(disk::look(&args.data_dir)),
    }
    findings.push(port::look(args.port));
    findings.extend(variables::look(std::env::vars_os()));
    findings.push(programs::ffmpeg());
    findings.extend(kubernetes::look());
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Doctor {
        #[command(flatten)]
        args: DoctorArgs,
    }

    #[test]
    fn a_missing_model_and_a_folder_that_cannot_be_are_in_the_way() {
        let args = ["doctor", "--model", "none", "--data-dir", "/proc/none", "--json"];
        let args = Doctor::parse_from(args).args;
        let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models"));
        let findings = look(&args, models);
        let wrong: Vec<_> = findings
            .iter()
            .filter(|finding| finding.state == State::Wrong)
            .map(|finding| finding.what)
            .collect();
        assert_eq!(wrong, ["model", "data folder"]);
        assert!(findings.iter().all(|finding| {
            (finding.state == State::Fine) == finding.mend.is_none() && !finding.says.is_empty()
        }));
        let error = run(&args, models).unwrap_err().to_string();
        assert!(error.starts_with("2 of "), "{error}");
    }
}
