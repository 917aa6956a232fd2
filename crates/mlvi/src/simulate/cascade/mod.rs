//! `mlvi simulate cascade`: how much of the cloud's precision is won when only the hard images go
//! there, by each measure of hardness.

mod exam;
mod halves;
mod lessons;
mod measures;

use super::detections::{self, percent};
use super::labels::LabelArgs;
use accuracy::Truth;
use clap::Args;
use cli::table::Table;
use exam::Exam;
use halves::{Half, Halves};
use lessons::LessonArgs;
use measures::Kind;
use offload::Hardness;
use std::path::PathBuf;

/// The shares of images that the tables show.
const SHARES: [f64; 6] = [0.0, 0.1, 0.2, 0.3, 0.5, 1.0];

/// What `mlvi simulate cascade` can be told.
#[derive(Clone, Debug, Args)]
pub struct CascadeArgs {
    /// What both tiers find, as `mlvi simulate detections` writes it
    #[arg(long, value_name = "FILE")]
    pub detections: PathBuf,
    /// What is really in the images; without it, what the cloud finds is taken for right
    #[command(flatten)]
    pub labels: LabelArgs,
    /// The share of images that is sent on: measures and thresholds are fitted to it
    #[arg(long, value_name = "0..1", default_value_t = 0.2)]
    pub share: f64,
    /// How many more times the images are halved at random, so that one lucky split fools nobody
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub splits: usize,
    /// Where these halvings start from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What is learned from the cloud's answers
    #[command(flatten)]
    pub lessons: LessonArgs,
}

/// Fits each measure on one half of the images and judges it on the other, both ways, and prints
/// what came out and the measures' texts.
///
/// # Errors
/// When a file cannot be read, there are too few images, or the cloud is no better than the edge.
pub fn run(args: &CascadeArgs) -> anyhow::Result<()> {
    anyhow::ensure!((0.0..=1.0).contains(&args.share), "--share {} must be 0 to 1", args.share);
    args.lessons.check()?;
    let file = detections::read(&args.detections)?;
    if args.lessons.guarantee {
        return lessons::guarantee(&file, &Hardness::default(), &args.lessons, args.seed);
    }
    if args.lessons.learn {
        let how = (args.share, args.splits, args.seed);
        return lessons::learn(&file, &Hardness::default(), &args.lessons, how);
    }
    let truths = args.labels.truths(&file)?;
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
    let exam = Exam::new(&file, &truths);
    let all: Vec<usize> = (0..file.images.len()).collect();
    let (edge, cloud) = exam.ends(&all)?;
    let (edge_model, cloud_model) = (&file.header.edge.info, &file.header.cloud.info);
    println!(
        "{} images, mAP@.5: edge ({}) {}, cloud ({}) {}",
        all.len(),
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
        print_half(&exam, &half, args.share)?;
    }
    print_splits(&exam, &all, args)?;
    println!(
        "\nfitted on all images, so that {} % of images like these are sent on:\n",
        args.share * 100.0
    );
    for kind in Kind::ALL {
        println!("hardness = \"{}\"", kind.fit(&exam, &all, args.share)?);
    }
    Ok(())
}

fn print_half(exam: &Exam<'_>, half: &Half<'_>, share: f64) -> anyhow::Result<()> {
    let (edge, cloud) = exam.ends(half.judged)?;
    println!(
        "\nfitted on the {}: mAP@.5 by share sent on, \
         and how much of the way from edge to cloud it is",
        half.name
    );
    let mut header = vec!["measure".to_owned()];
    header.extend(SHARES.map(|share| format!("{:.0} %", share * 100.0)));
    header.push("by threshold".into());
    let mut table = Table::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let cell = |precision: f64| format!("{} {}", percent(precision), way(precision, edge, cloud));
    for kind in Kind::ALL {
        let hardness = kind.fit(exam, half.fitted, share)?;
        let order = exam.hardest_first(&hardness, half.judged);
        let mut row = vec![kind.name().to_owned()];
        row.extend(SHARES.map(|share| {
            cell(exam.precision(half.judged, &order[..count_of(share, order.len())]))
        }));
        // what a unit does, which knows the threshold and not the share
        let sent: Vec<usize> = half
            .judged
            .iter()
            .copied()
            .filter(|image| hardness.is_hard(&exam.seen(*image)))
            .collect();
        let sent_share = 100.0 * sent.len() as f64 / half.judged.len() as f64;
        row.push(format!("{sent_share:.0} %: {}", cell(exam.precision(half.judged, &sent))));
        table.row(row);
    }
    let chance =
        SHARES.map(|share| exam.by_chance(half.judged, count_of(share, half.judged.len())));
    let hindsight = exam.in_hindsight(half.judged);
    let best = SHARES
        .map(|share| exam.precision(half.judged, &hindsight[..count_of(share, hindsight.len())]));
    for (name, precisions) in [("(by chance)", chance), ("(in hindsight)", best)] {
        let mut row = vec![name.to_owned()];
        row.extend(precisions.map(cell));
        row.push("-".into());
        table.row(row);
    }
    print!("{}", table.text());
    Ok(())
}

fn print_splits(exam: &Exam<'_>, all: &[usize], args: &CascadeArgs) -> anyhow::Result<()> {
    if args.splits == 0 {
        return Ok(());
    }
    let mut won: Vec<Vec<f64>> = vec![Vec::new(); Kind::ALL.len()];
    let mut gains = vec![0.0; Kind::ALL.len()];
    let (mut gaps, mut gapless) = (0.0, 0);
    for split in 0..args.splits {
        let halves = Halves::random(all, args.seed.wrapping_add(split as u64))?;
        for half in halves.both_ways() {
            let (edge, cloud) = exam.ends(half.judged)?;
            gaps += cloud - edge;
            gapless += usize::from(cloud <= edge);
            for (place, kind) in Kind::ALL.into_iter().enumerate() {
                let hardness = kind.fit(exam, half.fitted, args.share)?;
                let order = exam.hardest_first(&hardness, half.judged);
                let gain =
                    exam.precision(half.judged, &order[..count_of(args.share, order.len())]) - edge;
                gains[place] += gain;
                if cloud > edge {
                    won[place].push(gain / (cloud - edge));
                }
            }
        }
    }
    println!(
        "\n{} more halvings at random, both ways: how much of the way is won at {} % sent on",
        args.splits,
        args.share * 100.0
    );
    // the mean weighs each half by its gap: one with next to no gap would drown all others
    let mut table = Table::new(&["measure", "mean", "least", "median", "most", "at least half"]);
    for ((kind, won), gain) in Kind::ALL.into_iter().zip(won).zip(gains) {
        let mut sorted = won;
        sorted.sort_by(f64::total_cmp);
        let half = sorted.iter().filter(|won| **won >= 0.5).count();
        let shown = |share: Option<&f64>| {
            share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0))
        };
        table.row(vec![
            kind.name().into(),
            shown((gaps > 0.0).then(|| gain / gaps).as_ref()),
            shown(sorted.first()),
            shown(sorted.get(sorted.len() / 2)),
            shown(sorted.last()),
            format!("{half} of {}", sorted.len()),
        ]);
    }
    print!("{}", table.text());
    if gapless > 0 {
        println!(
            "in {gapless} of {} halves the cloud is no better than the edge; \
             they count for the mean alone",
            2 * args.splits
        );
    }
    Ok(())
}

/// How many of `of` images a share is.
fn count_of(share: f64, of: usize) -> usize {
    (share * of as f64).round() as usize
}

/// The share of the way from the edge's precision to the cloud's.
fn way(precision: f64, edge: f64, cloud: f64) -> String {
    // adding 0 makes a 0 of a -0
    let percent = (100.0 * (precision - edge) / (cloud - edge)).round() + 0.0;
    if cloud > edge { format!("({percent} %)") } else { "(no gap)".into() }
}

#[cfg(test)]
mod tests;
