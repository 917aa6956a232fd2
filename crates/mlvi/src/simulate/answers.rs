//! How accurate the answers of a simulated policy are.

use super::detections;
use super::labels::LabelArgs;
use accuracy::{Agreement, DetectionsFile, Judged, Map, Thresholded, Truth, agreement, judge};
use frame::Destination::{self, Cloud, Edge};
use frame::Detection;
use offload::{Hardness, Measure};
use serde::Serialize;
use simulator::{Answer, EdgeAnswer, History, Record, Report, Scenario};
use std::path::{Path, PathBuf};

/// Precision is measured over so many frames at most, evenly spread over the run: it is a matter of
/// the images, which come again anyway.
const MAX_FRAMES: usize = 5000;

/// What both tiers answer to each image.
pub(super) struct Answers {
    path: PathBuf,
    file: DetectionsFile,
    /// By image: how far each tier agrees with the cloud.
    agreements: Vec<[Agreement; 2]>,
    /// By image: what each tier's answer is worth, where there are labels.
    judged: Option<Vec<[Judged; 2]>>,
    /// By image: how right what each tier is sure of is, as F1 at an overlap of 0.5 with what is
    /// really there, or with what the cloud finds where there are no labels.
    right: Vec<[f64; 2]>,
}

/// How accurate answered frames are, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Accuracy {
    /// F1 at an overlap of 0.5 with what the cloud's model finds, above the units' thresholds.
    pub(super) cloud_f1: f64,
    /// Mean average precision at an overlap of 0.5, where there are labels.
    pub(super) map50: Option<f64>,
}

impl Answers {
    /// Reads a detections file and judges each image once.
    ///
    /// # Errors
    /// When it or a label cannot be read.
    pub(super) fn read(path: &Path, labels: &LabelArgs) -> anyhow::Result<Self> {
        let file = detections::read(path)?;
        let truths = labels.truths(&file)?;
        let agreements = file.images.iter().map(|image| {
            let cloud = image.cloud.thresholded(&file.header.cloud).confident;
            [
                agreement(cloud, image.edge.thresholded(&file.header.edge).confident),
                agreement(cloud, cloud),
            ]
        });
        let agreements: Vec<[Agreement; 2]> = agreements.collect();
        let right = match &truths {
            None => agreements.iter().map(|tiers| tiers.map(|tier| tier.f1())).collect(),
            Some(truths) => {
                let images = file.images.iter().zip(truths);
                let f1 = |truth: &Truth, answer: Thresholded<'_>| f1(truth, answer.confident);
                images
                    .map(|(image, truth)| {
                        [
                            f1(truth, image.edge.thresholded(&file.header.edge)),
                            f1(truth, image.cloud.thresholded(&file.header.cloud)),
                        ]
                    })
                    .collect()
            }
        };
        let judged = truths.map(|truths| {
            let images = file.images.iter().zip(&truths);
            images
                .map(|(image, truth)| {
                    [judge(truth, &image.edge.detections), judge(truth, &image.cloud.detections)]
                })
                .collect()
        });
        Ok(Self { path: path.to_owned(), file, agreements, judged, right })
    }

    /// Whether the edge's model tells all that a measure measures.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn check(&self, measure: &Measure) -> anyhow::Result<()> {
        detections::check_measure(measure, &self.file.header, &self.path)
    }

    /// How many images there are.
    pub(super) fn images(&self) -> u32 {
        u32::try_from(self.file.images.len()).unwrap_or(u32::MAX)
    }

    /// What the edge finds in an image.
    pub(super) fn at_edge(&self, image: u32, hardness: &Hardness) -> EdgeAnswer {
        let seen = detections::seen_at_edge(&self.file.header, &self.file.images[image as usize]);
        let agreed = self.agreements[image as usize][index(Edge)];
        EdgeAnswer {
            hard: hardness.is_hard(&seen),
            measured: hardness.measured(&seen),
            loss: 1.0 - agreed.f1(),
            wrong: agreed.wrong() as f64,
        }
    }

    /// A run in numbers, with how right each answer is by what is known of its image.
    pub(super) fn report(&self, history: &History, scenario: &Scenario) -> Report {
        Report::by(history, scenario, &|record, tier| self.right(record, tier))
    }

    /// How right a tier's answer to a frame is, from 0 to 1.
    fn right(&self, record: &Record, tier: Destination) -> f64 {
        self.right[record.image as usize][index(tier)]
    }

    /// How accurate the answered frames of a run are; `None` when none was answered.
    pub(super) fn accuracy(&self, history: &History) -> Option<Accuracy> {
        let answered: Vec<(usize, Destination)> = (history.frames.iter())
            .filter_map(|record| match record.answer {
                Some((Answer::Done(tier), _)) => Some((record.image as usize, tier)),
                _ => None,
            })
            .collect();
        let total: Agreement =
            answered.iter().map(|(image, tier)| self.agreements[*image][index(*tier)]).sum();
        let step = answered.len().div_ceil(MAX_FRAMES).max(1);
        let map50 = self.judged.as_ref().and_then(|judged| {
            Map::map50_of(
                answered.iter().step_by(step).map(|(image, tier)| &judged[*image][index(*tier)]),
            )
        });
        (!answered.is_empty()).then(|| Accuracy { cloud_f1: total.f1(), map50 })
    }
}

/// F1 of detections against what is really there; 1 when there is nothing and nothing was found.
fn f1(truth: &Truth, detections: &[Detection]) -> f64 {
    let judged = judge(truth, detections);
    let (both, found) = judged
        .at_half(0.0)
        .fold((0, 0), |(both, found), (_, hit)| (both + usize::from(hit), found + 1));
    Agreement { both, found, wanted: judged.wanted() }.f1()
}

const fn index(tier: Destination) -> usize {
    match tier {
        Edge => 0,
        Cloud => 1,
    }
}
