//! `mlvi simulate cascade`: how much of the cloud's quality is won when only the hard images go
//! there, by each measure of hardness.

mod exam;
mod halves;
mod lessons;
mod measures;
mod splits;

use super::detections::{self, percent};
use super::import::ImportArgs;
use super::labels::LabelArgs;
use accuracy::{DetectionsFile, Truth};
use anyhow::Context;
use clap::Args;
use cli::table::Table;
use exam::{Exam, Objective};
use halves::{Half, Halves};
use lessons::LessonArgs;
use measures::Kind;
use offload::{Aim, Cut, Hardness};
use splits::Splits;
use std::path::{Path, PathBuf};

/// The shares of images that the tables show.
const SHARES: [f64; 6] = [0.0, 0.1, 0.2, 0.3, 0.5, 1.0];

/// What `mlvi simulate cascade` can be told.
#[derive(Clone, Debug, Args)]
pub struct CascadeArgs {
    /// What both tiers find, as `mlvi simulate detections` writes it
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "import",
        conflicts_with = "import"
    )]
    pub detections: Option<PathBuf>,
    /// Other people's detections
    #[command(flatten)]
    pub import: ImportArgs,
    /// What is really in the images; without it, what the cloud finds above its threshold is taken
    /// for right, and F1 is measured in place of mean average precision
    #[command(flatten)]
    pub labels: LabelArgs,
    /// The share of images that is sent on: measures and thresholds are fitted to it
    #[arg(long, value_name = "0..1", default_value_t = 0.2)]
    pub share: f64,
    /// How many more times the images are halved at random, so that one lucky split fools nobody
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub splits: usize,
    /// Where these halvings start from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What is learned from the cloud's answers
    #[command(flatten)]
    pub lessons: LessonArgs,
    /// One more measure, as it stands in a policy file, e.g. `errors(small class)`; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub measure: Vec<Aim>,
}

/// Fits each measure on one half of the images and judges it on the other, both ways, and prints
/// what came out and the measures' texts.
///
/// # Errors
/// When a file cannot be read, there are too few images, or the cloud is no better than the edge.
pub fn run(args: &CascadeArgs) -> anyhow::Result<()> {
    anyhow::ensure!((0.0..=1.0).contains(&args.share), "--share {} must be 0 to 1", args.share);
    args.lessons.check()?;
    let file = read(args)?;
    let aim = args.measure.first().cloned().unwrap_or_default();
    // an empty image is ranked as the measure means it, not as the first of all
    let scored = Hardness { empty: aim.empty, ..aim.cut(Cut::All) };
    if args.lessons.guarantee {
        return lessons::guarantee(&file, &scored, &args.lessons, args.seed);
    }
    if args.lessons.learn {
        let how = (args.share, args.splits, args.seed);
        return lessons::learn(&file, &scored, &args.lessons, how);
    }
    let kinds = kinds(args, &file)?;
    let truths = args.labels.truths(&file)?;
    let objective = if truths.is_some() { Objective::Map } else { Objective::F1 };
    if truths.is_none() {
        println!(
            "no labels are given: what the cloud finds above its threshold is taken for right\n"
        );
    }
    let truths = truths.unwrap_or_else(|| {
        let found =
            file.images.iter().map(|image| image.cloud.thresholded(&file.header.cloud).confident);
        found.map(Truth::of_detections).collect()
    });
    let exam = Exam::new(&file, &truths, objective);
    let all: Vec<usize> = (0..file.images.len()).collect();
    let (edge, cloud) = exam.ends(&all)?;
    let (edge_model, cloud_model) = (&file.header.edge.info, &file.header.cloud.info);
    println!(
        "{} images, {}: edge ({}) {}, cloud ({}) {}",
        all.len(),
        objective.name(),
        edge_model.name,
        percent(edge),
        cloud_model.name,
        percent(cloud)
    );
    anyhow::ensure!(
        cloud > edge,
        "the cloud's model is no better than the edge's: there is nothing to win"
    );

    let even_odd = Halves::even_odd(&all)?;
    for half in even_odd.both_ways() {
        print_half(&exam, &half, &kinds, args.share)?;
    }
    if args.splits > 0 {
        Splits::of(&exam, &all, &kinds, args)?.print(args);
    }
    println!(
        "\nfitted on all images, so that {} % of images like these are sent on:\n",
        args.share * 100.0
    );
    for kind in &kinds {
        println!("hardness = \"{}\"", kind.fit(&exam, &all, args.share)?);
    }
    Ok(())
}

/// The detections, of whichever form.
fn read(args: &CascadeArgs) -> anyhow::Result<DetectionsFile> {
    if let Some(file) = args.import.read(args.labels.annotations.as_deref())? {
        return Ok(file);
    }
    let path = args.detections.as_ref().context("neither --detections nor --import is given")?;
    detections::read(path)
}

/// The measures that can be judged on these detections.
fn kinds(args: &CascadeArgs, file: &DetectionsFile) -> anyhow::Result<Vec<Kind>> {
    for aim in &args.measure {
        let source = args.detections.as_deref().or(args.import.edge_results.as_deref());
        detections::check_measure(&aim.measure, &file.header, source.unwrap_or(Path::new("-")))
            .with_context(|| format!("--measure '{aim}'"))?;
    }
    let tells_weak = file.header.edge.weak.is_some();
    let known = Kind::ALL.into_iter().filter(|kind| tells_weak || !kind.needs_weak());
    Ok(known.chain(args.measure.iter().map(Kind::named)).collect())
}

fn print_half(exam: &Exam<'_>, half: &Half<'_>, kinds: &[Kind], share: f64) -> anyhow::Result<()> {
    let (edge, cloud) = exam.ends(half.judged)?;
    println!(
        "\nfitted on the {}: {} by share sent on, \
         and how much of the way from edge to cloud it is",
        half.name,
        exam.objective.name()
    );
    let mut header = vec!["measure".to_owned()];
    header.extend(SHARES.map(|share| format!("{:.0} %", share * 100.0)));
    header.push("by threshold".into());
    let mut table = Table::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let cell = |quality: f64| format!("{} {}", percent(quality), way(quality, edge, cloud));
    for kind in kinds {
        let hardness = kind.fit(exam, half.fitted, share)?;
        let order = exam.hardest_first(&hardness, half.judged);
        let mut row = vec![kind.name()];
        row.extend(
            SHARES.map(|share| {
                cell(exam.quality(half.judged, &order[..count_of(share, order.len())]))
            }),
        );
        // what a unit does, which knows the threshold and not the share
        let sent: Vec<usize> = half
            .judged
            .iter()
            .copied()
            .filter(|image| hardness.is_hard(&exam.seen(*image)))
            .collect();
        let sent_share = 100.0 * sent.len() as f64 / half.judged.len() as f64;
        row.push(format!("{sent_share:.0} %: {}", cell(exam.quality(half.judged, &sent))));
        table.row(row);
    }
    let chance =
        SHARES.map(|share| exam.by_chance(half.judged, count_of(share, half.judged.len())));
    let hindsight = exam.in_hindsight(half.judged);
    let best = SHARES
        .map(|share| exam.quality(half.judged, &hindsight[..count_of(share, hindsight.len())]));
    for (name, precisions) in [("(by chance)", chance), ("(in hindsight)", best)] {
        let mut row = vec![name.to_owned()];
        row.extend(precisions.map(cell));
        row.push("-".into());
        table.row(row);
    }
    print!("{}", table.text());
    Ok(())
}

/// How many of `of` images a share is.
fn count_of(share: f64, of: usize) -> usize {
    (share * of as f64).round() as usize
}

/// The share of the way from the edge's quality to the cloud's.
fn way(quality: f64, edge: f64, cloud: f64) -> String {
    // adding 0 makes a 0 of a -0
    let percent = (100.0 * (quality - edge) / (cloud - edge)).round() + 0.0;
    if cloud > edge { format!("({percent} %)") } else { "(no gap)".into() }
}

#[cfg(test)]
mod tests;
