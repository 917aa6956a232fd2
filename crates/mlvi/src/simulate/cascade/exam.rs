//! Images that were judged once, to be put together with either tier's answer again and again.

use super::halves::shuffled;
use crate::simulate::detections::seen_at_edge;
use accuracy::{Agreement, DetectionsFile, Judged, Map, Truth, judge};
use anyhow::Context;
use offload::{EdgeDetections, Hardness, Sample};

/// How many random choices their mean quality is taken over.
const CHANCES: u64 = 50;

/// What answers are worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Objective {
    /// Mean average precision at an overlap of 0.5, over everything that was written down.
    Map,
    /// F1 at an overlap of 0.5, over the detections above the units' thresholds.
    F1,
}

impl Objective {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Map => "mAP@.5",
            Self::F1 => "F1@.5",
        }
    }
}

/// The images with what the edge saw and what both answers are worth.
pub(super) struct Exam<'a> {
    pub(super) objective: Objective,
    seen: Vec<EdgeDetections<'a>>,
    edge: Vec<Worth>,
    cloud: Vec<Worth>,
}

/// What an answer to an image is worth.
struct Worth {
    judged: Judged,
    f1: Agreement,
}

impl<'a> Exam<'a> {
    pub(super) fn new(file: &'a DetectionsFile, truths: &[Truth], objective: Objective) -> Self {
        let images = || file.images.iter().zip(truths);
        let (edge, cloud) = (&file.header.edge, &file.header.cloud);
        let worth = |truth: &Truth, answer: &accuracy::Answer, model| {
            let judged = judge(truth, &answer.detections);
            let counted = judge(truth, answer.thresholded(model).confident);
            let marks = counted.at_half(0.0);
            let (both, found) =
                marks.fold((0, 0), |(both, found), (_, hit)| (both + usize::from(hit), found + 1));
            Worth { judged, f1: Agreement { both, found, wanted: counted.wanted() } }
        };
        Self {
            objective,
            seen: file.images.iter().map(|image| seen_at_edge(&file.header, image)).collect(),
            edge: images().map(|(image, truth)| worth(truth, &image.edge, edge)).collect(),
            cloud: images().map(|(image, truth)| worth(truth, &image.cloud, cloud)).collect(),
        }
    }

    /// How many images there are.
    #[cfg(test)]
    pub(super) fn images(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn seen(&self, image: usize) -> EdgeDetections<'a> {
        self.seen[image]
    }

    /// How good the answers to a set are when these of its images get the cloud's answer and the
    /// others the edge's; 0 when there is nothing to find.
    pub(super) fn quality(&self, set: &[usize], sent: &[usize]) -> f64 {
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
        self.over(answers).unwrap_or_default()
    }

    /// `None` when there is nothing to find.
    fn over<'b>(&self, answers: impl Iterator<Item = &'b Worth>) -> Option<f64> {
        match self.objective {
            Objective::Map => Map::map50_of(answers.map(|worth| &worth.judged)),
            Objective::F1 => {
                let all: Agreement = answers.map(|worth| worth.f1).sum();
                (all.wanted > 0).then(|| all.f1())
            }
        }
    }

    /// The quality of the edge alone and of the cloud alone.
    pub(super) fn ends(&self, set: &[usize]) -> anyhow::Result<(f64, f64)> {
        let of = |tier: &[Worth]| {
            self.over(set.iter().map(|image| &tier[*image]))
                .context("there is not a single object to find in these images")
        };
        Ok((of(&self.edge)?, of(&self.cloud)?))
    }

    /// What the cloud's answer to each image adds to the quality of the set: the mean of what is
    /// won where it is the first to be sent, and of what is lost where it is the only one not
    /// to be. In points that the set would gain if all images gained as much.
    pub(super) fn gains(&self, set: &[usize]) -> Vec<f64> {
        match self.objective {
            Objective::Map => self.gains_of_map(set),
            Objective::F1 => self.gains_of_f1(set),
        }
    }

    fn gains_of_map(&self, set: &[usize]) -> Vec<f64> {
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

    /// F1 is one of sums, of which one image's part can be exchanged.
    fn gains_of_f1(&self, set: &[usize]) -> Vec<f64> {
        let total = |tier: &[Worth]| set.iter().map(|image| tier[*image].f1).sum::<Agreement>();
        let (edge, cloud) = (total(&self.edge), total(&self.cloud));
        let exchanged = |total: Agreement, out: Agreement, part: Agreement| Agreement {
            both: total.both - out.both + part.both,
            found: total.found - out.found + part.found,
            wanted: total.wanted - out.wanted + part.wanted,
        };
        let gain = |image: &usize| {
            let (own, other) = (self.edge[*image].f1, self.cloud[*image].f1);
            let with = exchanged(edge, own, other).f1() - edge.f1();
            let without = cloud.f1() - exchanged(cloud, other, own).f1();
            f64::midpoint(with, without) * 100.0 * set.len() as f64
        };
        set.iter().map(gain).collect()
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

    /// The mean quality when so many images are sent that chance picks.
    pub(super) fn by_chance(&self, set: &[usize], count: usize) -> f64 {
        (0..CHANCES).map(|seed| self.quality(set, &shuffled(set, seed)[..count])).sum::<f64>()
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
