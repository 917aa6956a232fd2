//! Images that were judged once, to be put together with either tier's answer again and again.

use super::halves::shuffled;
use crate::simulate::detections::seen_at_edge;
use accuracy::{DetectionsFile, Judged, Map, Truth, judge};
use anyhow::Context;
use offload::{EdgeDetections, Hardness, Sample};

/// How many random choices their mean precision is taken over.
const CHANCES: u64 = 50;

/// The images with what the edge saw and what both answers are worth.
pub(super) struct Exam<'a> {
    seen: Vec<EdgeDetections<'a>>,
    edge: Vec<Judged>,
    cloud: Vec<Judged>,
}

impl<'a> Exam<'a> {
    pub(super) fn new(file: &'a DetectionsFile, truths: &[Truth]) -> Self {
        let images = || file.images.iter().zip(truths);
        Self {
            seen: file.images.iter().map(|image| seen_at_edge(&file.header, image)).collect(),
            edge: images().map(|(image, truth)| judge(truth, &image.edge.detections)).collect(),
            cloud: images().map(|(image, truth)| judge(truth, &image.cloud.detections)).collect(),
        }
    }

    pub(super) fn seen(&self, image: usize) -> EdgeDetections<'a> {
        self.seen[image]
    }

    /// mAP@.5 of a set when these of its images get the cloud's answer and the others the edge's; 0
    /// when there is nothing to find.
    pub(super) fn precision(&self, set: &[usize], sent: &[usize]) -> f64 {
        let mut is_sent = vec![false; self.seen.len()];
        for image in sent {
            is_sent[*image] = true;
        }
        self.of(set, &is_sent)
    }

    fn of(&self, set: &[usize], is_sent: &[bool]) -> f64 {
        let answers = set
            .iter()
            .map(|image| if is_sent[*image] { &self.cloud[*image] } else { &self.edge[*image] });
        Map::map50_of(answers).unwrap_or_default()
    }

    /// The precision of the edge alone and of the cloud alone.
    pub(super) fn ends(&self, set: &[usize]) -> anyhow::Result<(f64, f64)> {
        let of = |tier: &[Judged]| {
            Map::map50_of(set.iter().map(|image| &tier[*image]))
                .context("there is not a single object to find in these images")
        };
        Ok((of(&self.edge)?, of(&self.cloud)?))
    }

    /// What the cloud's answer to each image adds to the precision of the set: the mean of what is
    /// won where it is the first to be sent, and of what is lost where it is the only one not
    /// to be. In points of mAP that the set would gain if all images gained as much.
    pub(super) fn gains(&self, set: &[usize]) -> Vec<f64> {
        let (mut none, mut all) = (vec![false; self.seen.len()], vec![true; self.seen.len()]);
        let (edge, cloud) = (self.of(set, &none), self.of(set, &all));
        let mut gain = |image: &usize| {
            none[*image] = true;
            all[*image] = false;
            let (with, without) = (self.of(set, &none), self.of(set, &all));
            none[*image] = false;
            all[*image] = true;
            f64::midpoint(with - edge, cloud - without) * 100.0 * set.len() as f64
        };
        set.iter().map(&mut gain).collect()
    }

    /// The images of a set with what they gain.
    pub(super) fn samples(&self, set: &[usize]) -> Vec<Sample<'a>> {
        set.iter()
            .zip(self.gains(set))
            .map(|(image, gain)| Sample { seen: self.seen[*image], gain })
            .collect()
    }

    /// The set by hardness; equals stay in their order.
    pub(super) fn hardest_first(&self, hardness: &Hardness, set: &[usize]) -> Vec<usize> {
        by_score(set, |place| hardness.score(&self.seen[set[place]]))
    }

    /// The set by what each image really gains.
    pub(super) fn in_hindsight(&self, set: &[usize]) -> Vec<usize> {
        let gains = self.gains(set);
        by_score(set, |place| gains[place])
    }

    /// The mean precision when so many images are sent that chance picks.
    pub(super) fn by_chance(&self, set: &[usize], count: usize) -> f64 {
        (0..CHANCES).map(|seed| self.precision(set, &shuffled(set, seed)[..count])).sum::<f64>()
            / CHANCES as f64
    }
}

/// Highest score first; `score` takes the place in the set.
fn by_score(set: &[usize], score: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut scored: Vec<(f64, usize)> =
        set.iter().enumerate().map(|(place, image)| (score(place), *image)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, image)| image).collect()
}
