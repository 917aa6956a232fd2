//! `mlvi simulate cascade --guarantee` and `--learn`: whether a promise about the frames that stay
//! is kept, and how quickly it is learned which frames are worth sending.

use super::count_of;
use crate::simulate::detections::seen_at_edge;
use accuracy::{DetectionsFile, agreement};
use anyhow::Context;
use clap::Args;
use cli::plot::{self, Axis, Chart, Kind, Mark, Series, colour};
use cli::table::Table;
use offload::{Aim, Hardness, Promise};
use simulator::cascade::{Guarantee, Kept, Learning, LearningReport, Pair, Scene, made_up_scene};
use std::path::PathBuf;

/// Frames of each scene.
const FRAMES: usize = 20_000;
/// So many frames after a change of scene the promise has to be kept again.
const RECOVERY: usize = 10_000;
/// What is learned counts from this frame on.
const WARM_UP: usize = 500;
/// The made-up scenes, before and after a change: how much the harder frames lose.
const MADE_UP: [(&str, [f64; 2]); 4] = [
    ("made up, to a harder scene", [0.2, 0.5]),
    ("made up, to a much harder scene", [0.02, 0.5]),
    ("made up, to an easier scene", [0.5, 0.2]),
    ("made up, no change", [0.3, 0.3]),
];

/// What is learned from the cloud's answers.
#[derive(Clone, Debug, Args)]
pub struct LessonArgs {
    /// Instead: whether what is promised of the frames that stay on the edge is kept, before a
    /// change of scene and after it
    #[arg(long)]
    pub guarantee: bool,
    /// Instead: how much more is won when it is learned which frames are worth sending
    #[arg(long, conflicts_with = "guarantee")]
    pub learn: bool,
    /// Write the curve of regret (PNG and SVG) into this folder
    #[arg(long, value_name = "DIR", requires = "learn")]
    pub plots: Option<PathBuf>,
    /// How far the edge's answers that stay have to agree with the cloud's, on the mean
    #[arg(long, value_name = "0..1", default_value_t = 0.95)]
    pub agreement: f64,
    /// How sure that is
    #[arg(long, value_name = "0..1", default_value_t = 0.9)]
    pub confidence: f64,
    /// The share of easy frames that is sent for a lesson
    #[arg(long, value_name = "0..1", default_value_t = 0.02)]
    pub audit: f64,
    /// How often it is simulated
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub runs: usize,
}

impl LessonArgs {
    /// Checks what the parser cannot.
    ///
    /// # Errors
    /// When a number is out of its range.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Self { agreement, confidence, audit, runs, .. } = *self;
        anyhow::ensure!(agreement > 0.0 && agreement < 1.0, "--agreement must be between 0 and 1");
        anyhow::ensure!((0.5..1.0).contains(&confidence), "--confidence must be 0.5 to below 1");
        anyhow::ensure!((0.0..=0.5).contains(&audit), "--audit must be 0 to 0.5");
        anyhow::ensure!(runs > 0, "--runs must be at least 1");
        Ok(())
    }
}

/// What both tiers make of each image.
fn pairs(file: &DetectionsFile, hardness: &Hardness) -> anyhow::Result<Vec<Pair>> {
    let pair = |image| {
        let seen = seen_at_edge(&file.header, image);
        let measured = hardness.measured(&seen);
        let cloud = image.cloud.thresholded(&file.header.cloud).confident;
        let agreed = agreement(cloud, seen.confident);
        Some(Pair {
            features: measured.features?,
            score: hardness.score(&seen),
            both: agreed.both as f64,
            found: agreed.found as f64,
            wanted: agreed.wanted as f64,
        })
    };
    file.images.iter().map(pair).collect::<Option<_>>().context("an image cannot be measured")
}

/// Simulates promises, on the images and on made-up scenes, and prints how they were kept.
///
/// # Errors
/// When there are fewer than two images.
pub(super) fn guarantee(
    file: &DetectionsFile,
    hardness: &Hardness,
    args: &LessonArgs,
    seed: u64,
) -> anyhow::Result<()> {
    let pairs = pairs(file, hardness)?;
    anyhow::ensure!(pairs.len() > 1, "two images are needed at least");
    let loss = |pair: &Pair| {
        let all = pair.found + pair.wanted;
        if all > 0.0 { 1.0 - 2.0 * pair.both / all } else { 0.0 }
    };
    let scene = |pairs: &[Pair]| pairs.iter().map(|pair| (pair.score, loss(pair))).collect();
    let (first, second) = pairs.split_at(pairs.len() / 2);
    let mut rows: Vec<(&str, [Scene; 2])> =
        vec![("the images, from their first half to their second", [scene(first), scene(second)])];
    let made_up = |levels: [f64; 2]| {
        let [before, after] = levels;
        [made_up_scene(seed, before), made_up_scene(seed.wrapping_add(1), after)]
    };
    rows.extend(MADE_UP.map(|(name, levels)| (name, made_up(levels))));
    println!(
        "frames that stay on the edge agree with the cloud by {} % on the mean, with a confidence \
         of {} %;\n{} % of the easy frames are audited; {} runs of twice {FRAMES} frames, the second \
         scene counting from its frame {RECOVERY} on\n",
        100.0 * args.agreement,
        100.0 * args.confidence,
        100.0 * args.audit,
        args.runs
    );
    let mut table = Table::new(&[
        "frames",
        "scene",
        "kept in runs",
        "agreement",
        "sent",
        "hindsight sends",
        "times as many",
    ]);
    for (name, scenes) in rows {
        let promise = Promise { loss: 1.0 - args.agreement, confidence: args.confidence };
        let simulated =
            Guarantee { promise, audit: args.audit, frames: FRAMES, recovery: RECOVERY, scenes };
        let report = simulated.run(args.runs, seed);
        for (scene, kept) in [("before", report.before), ("after", report.after)] {
            table.row(kept_row(name, scene, &kept));
        }
    }
    print!("{}", table.text());
    Ok(())
}

fn kept_row(name: &str, scene: &str, kept: &Kept) -> Vec<String> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let times = kept.sent / kept.hindsight;
    vec![
        name.into(),
        scene.into(),
        percent(kept.runs),
        percent(1.0 - kept.loss),
        percent(kept.sent),
        percent(kept.hindsight),
        if times < 100.0 { format!("{times:.2}") } else { "-".into() },
    ]
}

/// Simulates learning on the images in random orders and prints what it won.
///
/// # Errors
/// When there are too few images.
pub(super) fn learn(
    file: &DetectionsFile,
    hardness: &Hardness,
    args: &LessonArgs,
    (share, splits, seed): (f64, usize, u64),
) -> anyhow::Result<()> {
    let pairs = pairs(file, hardness)?;
    let warm_up = WARM_UP.min(pairs.len() / 2);
    anyhow::ensure!(count_of(share, pairs.len() - warm_up) > 0, "there are too few images");
    anyhow::ensure!(args.audit <= share, "--audit {} is more than --share {share}", args.audit);
    let learning = Learning { frames: &pairs, share, audit: args.audit, warm_up };
    let orders = splits.max(1);
    let reports: Vec<_> =
        (0..orders).map(|order| learning.run(seed.wrapping_add(order as u64))).collect();
    println!(
        "{} images in {orders} random orders, {} % sent on, {} % by chance: how much of the F1 gap \
         is won after {warm_up} frames\n",
        pairs.len(),
        100.0 * share,
        100.0 * args.audit
    );
    let mut table = Table::new(&["order", "learned", "sent", "fixed threshold", "hindsight"]);
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    for (order, report) in reports.iter().enumerate() {
        table.row(vec![
            (order + 1).to_string(),
            percent(report.won),
            percent(report.sent),
            percent(report.unfitted),
            percent(report.hindsight),
        ]);
    }
    let mean = |of: &dyn Fn(&LearningReport) -> f64| {
        reports.iter().map(of).sum::<f64>() / reports.len() as f64
    };
    table.row(vec![
        "mean".into(),
        percent(mean(&|report| report.won)),
        percent(mean(&|report| report.sent)),
        percent(mean(&|report| report.unfitted)),
        percent(mean(&|report| report.hindsight)),
    ]);
    print!("{}", table.text());
    println!(
        "\nregret against {} at its best fixed threshold, in boxes that were not put right \
         (below 0: more were)\n",
        named(hardness)
    );
    let regret = regret(&reports);
    let mut curve = Table::new(&["frames", "regret", "10 %", "90 %"]);
    for (frames, [mean, low, high]) in &regret {
        let shown = [mean, low, high].map(|boxes| format!("{boxes:.0}"));
        curve.row([frames.to_string()].into_iter().chain(shown).collect());
    }
    print!("{}", curve.text());
    if let Some(dir) = &args.plots {
        let writing = || format!("cannot write plots into {}", dir.display());
        std::fs::create_dir_all(dir).with_context(writing)?;
        plot::write(&chart(hardness, &regret), dir, "regret").with_context(writing)?;
        eprintln!("2 plots are in {}", dir.display());
    }
    Ok(())
}

/// How regret grows over the orders: after so many frames, its mean, and what a tenth of the orders
/// is below and above.
fn regret(reports: &[LearningReport]) -> Vec<(usize, [f64; 3])> {
    let places = reports.iter().map(|report| report.regret.len()).min().unwrap_or(0);
    let at = |place: usize| {
        let mut all: Vec<f64> = reports.iter().map(|of| of.regret[place].regret).collect();
        all.sort_by(f64::total_cmp);
        let rank = |q: f64| all[(q * (all.len() - 1) as f64).round() as usize];
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (reports[0].regret[place].frames, [mean, rank(0.1), rank(0.9)])
    };
    (0..places).map(at).collect()
}

/// A measure without a threshold.
fn named(hardness: &Hardness) -> String {
    Aim { threshold: None, ..hardness.clone().into() }.to_string()
}

fn chart(hardness: &Hardness, regret: &[(usize, [f64; 3])]) -> Chart {
    let names = ["mean of the orders", "a tenth is below", "a tenth is above"];
    let series: Vec<Series> = (names.into_iter().enumerate())
        .map(|(number, name)| Series {
            name: name.into(),
            points: std::iter::once((0.0, 0.0))
                .chain(regret.iter().map(|(frames, boxes)| (*frames as f64, boxes[number])))
                .collect(),
            colour: colour(number),
            kind: Kind::Line,
        })
        .collect();
    let boxes = || series.iter().flat_map(|series| series.points.iter().map(|(_, boxes)| *boxes));
    let (low, high) = (boxes().fold(0.0, f64::min), boxes().fold(0.0, f64::max));
    let room = 0.08 * (high - low).max(1.0);
    Chart {
        title: format!("Regret of learning against {}", named(hardness)),
        x: Axis::from_zero("frames", regret.iter().map(|(frames, _)| *frames as f64)),
        y: Axis {
            name: "boxes fewer that were put right".into(),
            range: low - room..high + room,
            logarithmic: false,
        },
        series,
        spans: None,
        mark: Some(("the best fixed threshold".into(), Mark::Y(0.0))),
    }
}
