//! `mlvi bench report`: everything in one report.

use super::accuracy::{self, AccuracyArgs};
use super::detector::{self, DetectorArgs};
use super::http::{self, HttpArgs};
use super::machine::Machine;
use super::peer::{PeerArgs, Precision};
use super::pipeline::{self, Against, PipelineArgs};
use super::pixels::{self, PixelsArgs};
use super::progress::Progress;
use super::section::Section;
use super::unit::{self, UnitArgs, Variant};
use crate::models;
use anyhow::Context;
use clap::Args;
use cli::Rows;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What `mlvi bench report` can be told.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// The folder for report.md, report.json, report.csv and the plots (SVG); it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The model
    #[arg(long, value_name = "NAME", default_value = "yolov3-tiny")]
    model: String,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    image: PathBuf,
    /// How often a frame is measured
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long each turn of the whole suite is, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    #[command(flatten)]
    peers: PeerArgs,
    #[command(flatten)]
    accuracy: AccuracyArgs,
}

pub(super) fn run(args: &ReportArgs, models_dir: &Path) -> anyhow::Result<()> {
    let writing = || format!("cannot write into {}", args.out.display());
    // before the work, so that nothing is measured in vain
    std::fs::create_dir_all(&args.out).with_context(writing)?;
    let progress = Progress::new();
    let detector = DetectorArgs {
        model: args.model.clone(),
        runs: args.runs,
        turn: 2.0,
        image: args.image.clone(),
        profile: false,
        precision: Precision::Float32,
        json: false,
        peers: args.peers.clone(),
    };
    let mut sections = vec![Machine::read().section()?];
    sections.extend(detector::sections(&detector, models_dir, &progress)?);
    let profile = DetectorArgs { profile: true, ..detector };
    sections.extend(detector::sections(&profile, models_dir, &progress)?);
    sections.extend(accuracy::section(&args.accuracy, &args.model, models_dir, &progress)?);
    progress.tell("decode, sharpen and encode");
    sections.push(pixels(args)?);
    progress.tell("frames over HTTP");
    let http = HttpArgs {
        cameras: 8,
        seconds: args.seconds,
        kilobytes: 100,
        image: args.image.clone(),
        streams: true,
        turns: 3,
        in_flight: 4,
        core: 0,
    };
    sections.extend(http::sections(&http)?);
    let unit = UnitArgs {
        model: args.model.clone(),
        model_threads: 1,
        frames: 300,
        image: args.image.clone(),
        starts: 3,
        settings: Vec::new(),
        json: false,
    };
    let variant = |name, settings: &[(&str, &str)]| Variant {
        name,
        settings: settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    let variants = [
        variant("as it is", &[]),
        variant("with the least memory", &[("MLVI_MODEL_KERNELS", "small")]),
        variant("bfloat16", &[("MLVI_MODEL_PRECISION", "bfloat16")]),
        variant("int8", &[("MLVI_MODEL_PRECISION", "int8")]),
    ];
    // a model without a calibration cannot run in int8
    let calibrated = models::ensure(models_dir, &args.model)?.calibration().is_file();
    let variants = if calibrated { &variants[..] } else { &variants[..3] };
    sections.push(unit::section(&unit, variants, models_dir, &progress)?);
    let pipeline = PipelineArgs {
        model: args.model.clone(),
        model_threads: 2,
        cameras: 8,
        seconds: args.seconds,
        turns: 3,
        image: args.image.clone(),
        against: args.peers.with_peers.then_some(Against::Python),
        python: args.peers.python.clone(),
        bench_dir: args.peers.bench_dir.clone(),
        json: false,
    };
    sections.extend(pipeline::sections(&pipeline, models_dir, &progress)?);
    drop(progress);
    write(&sections, &args.out).with_context(writing)?;
    println!("{}", args.out.join("report.md").display());
    Ok(())
}

/// Against Pillow where it can be had.
fn pixels(args: &ReportArgs) -> anyhow::Result<Section> {
    let alone = PixelsArgs {
        image: args.image.clone(),
        runs: 200,
        with_peers: false,
        python: args.peers.python.clone(),
        bench_dir: args.peers.bench_dir.clone(),
    };
    if !args.peers.with_peers {
        return pixels::section(&alone);
    }
    let both = PixelsArgs { with_peers: true, ..alone.clone() };
    pixels::section(&both).or_else(|error| {
        let mut section = pixels::section(&alone)?;
        section.list(vec![format!("Missing: Pillow, {}.", text::with_causes(&*error))]);
        Ok(section)
    })
}

/// `report.md`, `report.json`, `report.csv` and the plots.
fn write(sections: &[Section], dir: &Path) -> anyhow::Result<()> {
    std::fs::write(dir.join("report.md"), markdown(sections))?;
    let json = serde_json::to_string_pretty(&json(sections))?;
    std::fs::write(dir.join("report.json"), json + "\n")?;
    rows(sections)?.write(&dir.join("report.csv"))?;
    sections.iter().try_for_each(|section| section.write_charts(dir))
}

/// A row for each part of each section: for each of its rows, where it has some, or for all of it.
fn rows(sections: &[Section]) -> anyhow::Result<Rows> {
    let mut rows = Rows::default();
    for section in sections {
        let parts = section.data["rows"].as_array().map(Vec::as_slice);
        for part in parts.unwrap_or(std::slice::from_ref(&section.data)) {
            let about = [("section", Value::from(&*section.key)), ("name", part["name"].clone())];
            rows.add(&about, part)?;
        }
    }
    Ok(rows)
}

fn markdown(sections: &[Section]) -> String {
    let head = "# MLVI, measured\n\nMade by `mlvi bench report`. Ratios are of medians, ours by the \
                other's: below 1 is faster in milliseconds, above 1 is faster in frames per \
                second. Numbers of different machines cannot be compared.\n";
    let parts: Vec<String> = sections.iter().map(Section::markdown).collect();
    format!("{head}\n{}", parts.join("\n"))
}

/// Each section's data by its key.
pub(super) fn json(sections: &[Section]) -> Value {
    let entry = |section: &Section| (section.key.clone(), section.data.clone());
    Value::Object(sections.iter().map(entry).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contest::tests::outcome;

    #[test]
    fn a_report_has_every_section_in_every_form() {
        let dir = tempfile::tempdir().unwrap();
        let sections = [Machine::read().section().unwrap(), outcome().section("latency").unwrap()];
        write(&sections, dir.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let text = read("report.md");
        assert!(text.contains("## Machine") && text.contains("## One frame"), "{text}");
        assert!(text.contains("| peer | 2.00 | 4.00 | 6.00 | 0.50 | 0.50 |"), "{text}");
        assert!(text.contains("![One frame](latency.svg)"), "{text}");
        assert!(read("latency.svg").contains("<svg"));
        let table = read("report.csv");
        let peer = table.lines().find(|line| line.starts_with("latency,peer,")).unwrap();
        let median = table.lines().next().unwrap().split(',').position(|of| of == "summary_median");
        assert_eq!(peer.split(',').nth(median.unwrap()), Some("4.0"), "{table}");
        let json: Value = serde_json::from_str(&read("report.json")).unwrap();
        assert_eq!(json["latency"]["rows"][1]["summary"]["median"], 4.0);
        assert_eq!(json["latency"]["absent"][0]["name"], "OpenCV");
        assert!(json["machine"]["cores"].as_u64().unwrap() > 0);
    }
}
