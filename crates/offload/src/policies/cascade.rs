//! Edge first; what was hard there goes on to the cloud.

use super::PolicySettings;
use super::audited::{AUDIT, Audited, Audits};
use crate::config::range;
use crate::hardness::Cut;
use crate::learn::{Hardest, SplitMix};
use crate::{
    Action, Aim, Choice, FrameFacts, Hardness, Learned, Measure, Measured, Policy, PolicyError,
    Snapshot,
};
use serde::{Deserialize, Deserializer, Serialize};

/// The share that is sent on when no share, no threshold and no agreement is given.
const SHARE: f64 = 0.2;

/// `[cascade]`
///
/// With a `share`, the threshold of `hardness` may be left out; one that is given is where each
/// camera begins, until there are scores. With an `agreement`, no threshold counts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Section")]
pub struct Cascade {
    /// Which frames go on to the cloud as well, e.g. `max-confidence<0.5,empty=easy`.
    #[serde(serialize_with = "crate::config::to_text")]
    pub hardness: Aim,
    /// So much of each camera's frames, the hardest, go on; `None`: those beyond the threshold of
    /// `hardness`, or that `agreement` needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The share of frames that goes on by chance, whatever their score: they tell how far the edge
    /// agrees with the cloud.
    pub audit: f64,
    /// How far the edge's answers to the frames that stay agree with the cloud's, on the mean; the
    /// threshold of each camera follows from it. `None`: nothing is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// With which probability that is so; 0.9 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(default, deserialize_with = "aim")]
    hardness: Option<Aim>,
    #[serde(default)]
    share: Option<f64>,
    #[serde(default)]
    audit: Option<f64>,
    #[serde(default)]
    agreement: Option<f64>,
    #[serde(default)]
    confidence: Option<f64>,
}

fn aim<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Aim>, D::Error> {
    crate::config::from_text(deserializer).map(Some)
}

impl From<Section> for Cascade {
    /// A measure without a share is one with a threshold; where nothing says which frames go on, it
    /// is the default's share.
    fn from(section: Section) -> Self {
        let Section { hardness, share, audit, agreement, confidence } = section;
        let usual = hardness.is_none() && agreement.is_none();
        Self {
            hardness: hardness.unwrap_or_default(),
            // audits are part of the share
            share: share.or_else(|| {
                let audit = audit.filter(|audit| *audit <= 1.0).unwrap_or(AUDIT);
                usual.then_some(SHARE.max(audit))
            }),
            audit: audit.unwrap_or(share.map_or(AUDIT, |share| AUDIT.min(share.max(0.0)))),
            agreement,
            confidence,
        }
    }
}

impl Default for Cascade {
    fn default() -> Self {
        let hardness = Aim::default();
        Self { hardness, share: Some(SHARE), audit: AUDIT, agreement: None, confidence: None }
    }
}

impl Cascade {
    /// Without audits.
    pub(super) fn edge_first(&self) -> Box<dyn Policy> {
        Box::new(EdgeFirst { settings: self.clone(), hardest: Hardest::new() })
    }

    pub(super) const fn audits(&self) -> Audits {
        let Self { audit, agreement, confidence, .. } = *self;
        Audits { audit, agreement, confidence }
    }
}

impl PolicySettings for Cascade {
    /// A measure of hardness is checked when its text is read.
    fn check(&self) -> Result<(), PolicyError> {
        let Self { hardness, share, audit: _, agreement, confidence: _ } = self;
        match (share, agreement) {
            (Some(share), None) => range::share("[cascade] share", *share)?,
            (Some(share), Some(_)) => {
                return Err(PolicyError::Range {
                    field: "[cascade] share",
                    value: share.to_string(),
                    allowed: "left out where an agreement is promised, which says how many are sent",
                });
            }
            (None, None) if hardness.threshold.is_none() => {
                return Err(PolicyError::Range {
                    field: "[cascade] hardness",
                    value: format!("'{hardness}'"),
                    allowed: "a measure with a threshold, or stand beside a share",
                });
            }
            (None, _) => {}
        }
        if let Measure::Learned(learned) = hardness.measure {
            let fits = learned == Learned::UNFITTED;
            let allowed = "'learned' without numbers: what is learned is found again by itself";
            let value = format!("'{hardness}'");
            if !fits {
                return Err(PolicyError::Range { field: "[cascade] hardness", value, allowed });
            }
            let allowed = "above 0 where a measure is learned: without audits nothing is learned of \
                           the frames that stay";
            range::require("[cascade] audit", self.audit, self.audit > 0.0, allowed)?;
        }
        self.audits().check()?;
        let fits = share.is_none_or(|share| self.audit <= share);
        let allowed = "no more than the share, which audits are part of";
        range::require("[cascade] audit", self.audit, fits, allowed)
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Audited::around(self.edge_first(), self.audits())))
    }
}

/// Every frame goes to the edge, which sends the hard ones on.
struct EdgeFirst {
    settings: Cascade,
    hardest: Hardest,
}

impl EdgeFirst {
    /// The measure and the threshold for a frame.
    fn hardness(&self, frame: &FrameFacts) -> Hardness {
        let Cascade { hardness, share, .. } = &self.settings;
        let Some(share) = *share else {
            let nothing = || Hardness { empty: hardness.empty, ..hardness.cut(Cut::Nothing) };
            return hardness.named().unwrap_or_else(nothing);
        };
        let mut random = SplitMix(frame.ordinal ^ frame.sequence.rotate_left(32));
        let dice = [random.unit(), random.unit()];
        if let Some(cut) = self.hardest.cut(&frame.camera, share, dice) {
            return hardness.cut(cut);
        }
        // before anything was measured chance picks the share
        hardness
            .named()
            .unwrap_or_else(|| hardness.cut(if dice[0] < share { Cut::All } else { Cut::Nothing }))
    }
}

impl Policy for EdgeFirst {
    fn name(&self) -> &str {
        "cascade"
    }

    fn choose(&self, frame: &FrameFacts, _load: &Snapshot) -> Choice {
        let reason = match self.settings.hardness.measure {
            Measure::Learned(_) => "expected-gain",
            _ => "edge-first",
        };
        Choice::new(Action::Cascade(self.hardness(frame)), reason)
    }

    fn measured(&mut self, frame: &FrameFacts, choice: &Choice, measured: &Measured) {
        let Cascade { hardness: aim, share: Some(share), .. } = &self.settings else { return };
        match &choice.action {
            Action::Cascade(hardness) if hardness.measure.is_like(&aim.measure) => {
                let hard = hardness.is_hard_by(measured.score);
                // what was learned by then says what an empty frame was worth
                let by = Aim { measure: hardness.measure, ..aim.clone() };
                self.hardest.push(&frame.camera, by.score(measured.score), hard, *share);
            }
            // another measure's scores, of a policy before this one, say nothing
            Action::Cascade(_) | Action::Send(_) | Action::Expire | Action::Skip => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{facts, nth};
    use frame::Destination;
    use proptest::prelude::*;

    fn read(section: &str) -> Result<Cascade, PolicyError> {
        let text = format!("policy = 'cascade'\n[cascade]\n{section}");
        crate::PolicyConfig::from_toml(&text).map(|config| config.cascade)
    }

    #[test]
    fn the_edge_comes_first_and_knows_the_measure() {
        let policy = read("hardness = 'max-confidence<0.5'").unwrap().build().unwrap();
        let choice = policy.choose(&facts(), &Snapshot::default());
        assert_eq!(choice.destination(), Some(Destination::Edge));
        let named: Hardness = "max-confidence<0.5".parse().unwrap();
        assert_eq!(choice.action, Action::Cascade(named));
    }

    #[test]
    fn a_share_or_a_threshold_or_the_default() {
        let aim = |text: &str| text.parse::<Aim>().unwrap();
        assert_eq!(read(""), Ok(Cascade::default()));
        assert_eq!(Cascade::default().share, Some(SHARE));
        let own = |hardness, share| Ok(Cascade { hardness, share, ..Cascade::default() });
        assert_eq!(read("share = 0.1"), own(Aim::default(), Some(0.1)));
        assert_eq!(read("hardness = 'ibt(0.5)>=0.5'"), own(aim("ibt(0.5)>=0.5"), None));
        assert_eq!(
            read("hardness = 'errors'\nshare = 0.3"),
            own(aim("errors"), Some(0.3)),
            "a measure without a threshold needs a share"
        );
        let error = read("hardness = 'errors'").unwrap_err().to_string();
        assert!(error.contains("[cascade] hardness = 'errors,empty=easy'"), "{error}");
        let error = read("share = 1.5").unwrap_err().to_string();
        assert!(error.contains("[cascade] share = 1.5"), "{error}");
    }

    /// Sends frames of a camera through a policy, and tells how many were hard.
    fn hard(policy: &mut dyn Policy, scores: &[f64]) -> usize {
        let mut count = 0;
        for (n, score) in (0..).zip(scores) {
            let (frame, load) = (nth(n), Snapshot::default());
            let choice = policy.choose(&frame, &load);
            let Action::Cascade(hardness) = &choice.action else { panic!("{choice:?}") };
            // over the text that travels
            let hardness: Hardness = hardness.to_string().parse().unwrap();
            count += usize::from(hardness.is_hard_by(Some(*score)));
            policy.measured(&frame, &choice, &Measured { score: Some(*score), features: None });
        }
        count
    }

    #[test]
    fn scores_of_another_measure_are_passed_over() {
        let mut policy = read("hardness = 'errors>=5'\nshare = 0.5").unwrap().build().unwrap();
        let before =
            Choice::new(Action::Cascade("uncertainty>=1".parse().unwrap()), "by the policy before");
        policy.measured(&facts(), &before, &Measured { score: Some(9.0), features: None });
        let choice = policy.choose(&facts(), &Snapshot::default());
        let named: Hardness = "errors>=5".parse().unwrap();
        assert_eq!(choice.action, Action::Cascade(named), "it begins at the threshold it names");
    }

    proptest! {
        /// Whatever the scores are, with as many ties as one likes, and however they drift.
        #[test]
        fn the_share_is_sent_on(
            share in 0.0f64..=1.0, levels in 1u64..50, drift in 0.0f64..1.0, seed in 0u64..1000,
        ) {
            const FRAMES: usize = 2000;
            let mut random = SplitMix(seed);
            let scores: Vec<f64> = (0..FRAMES)
                .map(|n| random.below(levels) as f64 / 7.0 + (drift * n as f64).floor())
                .collect();
            let mut policy = read(&format!("share = {share}")).unwrap().build().unwrap();
            let sent = hard(policy.as_mut(), &scores) as f64 / FRAMES as f64;
            // 1/(2000 · 0.02), and what chance does to the last frames
            prop_assert!((sent - share).abs() < 0.03, "{sent} of {share}");
        }
    }
}
