//! What a cascade learns of its own answers: audits of easy frames, and a threshold that keeps what
//! is promised of the frames that stay.

use crate::config::range;
use crate::hardness::Cut;
use crate::learn::SplitMix;
use crate::{
    AUDITED, Action, Aim, Choice, FrameFacts, Hardness, Lessons, Measure, Measured, Outcome,
    Policy, PolicyError, Promise, Snapshot,
};

/// The share of frames that is audited where nothing is said.
pub(super) const AUDIT: f64 = 0.02;
/// How sure it is that a promise is kept, where nothing is said.
const CONFIDENCE: f64 = 0.9;

/// What is audited and promised.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Audits {
    /// The share of frames that goes on by chance.
    pub(super) audit: f64,
    /// How far the frames that stay agree with the cloud, on the mean; `None`: nothing is promised.
    pub(super) agreement: Option<f64>,
    /// With which probability.
    pub(super) confidence: Option<f64>,
}

impl Audits {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let Self { audit, agreement, confidence } = *self;
        let is_share = (0.0..=0.5).contains(&audit);
        range::require("[cascade] audit", audit, is_share, "from 0 to 0.5")?;
        if let Some(agreement) = agreement {
            let is_kept = (0.5..1.0).contains(&agreement);
            range::require("[cascade] agreement", agreement, is_kept, "from 0.5 to below 1")?;
            let allowed = "above 0 where an agreement is promised: only audits tell of it";
            range::require("[cascade] audit", audit, audit > 0.0, allowed)?;
        }
        if let Some(confidence) = confidence {
            let is_one = (0.5..=0.999).contains(&confidence);
            range::require("[cascade] confidence", confidence, is_one, "from 0.5 to 0.999")?;
            let allowed = "left out where no agreement is promised";
            range::require("[cascade] confidence", confidence, agreement.is_some(), allowed)?;
        }
        Ok(())
    }

    /// What is promised of a frame: what its contract says comes before the section.
    fn promise(&self, frame: &FrameFacts) -> Option<Promise> {
        let confidence = self.confidence.unwrap_or(CONFIDENCE);
        let agreement = frame.terms.agreement.or(self.agreement);
        agreement.map(|agreement| Promise { loss: 1.0 - agreement, confidence })
    }
}

/// A cascade whose frames are audited.
pub(super) struct Audited {
    audits: Audits,
    cascade: Box<dyn Policy>,
    lessons: Lessons,
}

impl Audited {
    /// Around a policy whose choices are cascades.
    pub(super) fn around(cascade: Box<dyn Policy>, audits: Audits) -> Self {
        Self { audits, cascade, lessons: Lessons::default() }
    }

    /// The cascade's choice, with the threshold that keeps the promise; without audits.
    fn unaudited(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let choice = self.cascade.choose(frame, load);
        let promise = self.audits.promise(frame);
        let Action::Cascade(mut hardness) = choice.action else { return choice };
        if let Measure::Learned(_) = hardness.measure {
            let learned = self.lessons.learned(&frame.camera, promise.is_some());
            hardness.measure = Measure::Learned(learned);
        }
        if let Some(promise) = promise {
            let from = self.lessons.threshold(&frame.camera, &hardness.measure, promise);
            hardness = sent_from(&hardness, from);
        }
        Choice { action: Action::Cascade(hardness), ..choice }
    }

    /// The measure, score and hardness of a frame that was not to be sent for its lesson alone.
    fn judged(
        &self,
        frame: &FrameFacts,
        choice: &Choice,
        measured: &Measured,
    ) -> Option<(Measure, f64, bool)> {
        let Action::Cascade(sent_by) = &choice.action else { return None };
        let load = Snapshot::default();
        let Action::Cascade(ours) = self.unaudited(frame, &load).action else { return None };
        // with the threshold that a promise needs, what an empty frame means may be another thing
        let Action::Cascade(plain) = self.cascade.choose(frame, &load).action else { return None };
        // another measure's scores, of a policy before this one, say nothing; and what was promised
        // of a learned measure was promised of its weights
        let is_ours = match self.audits.promise(frame) {
            Some(_) => sent_by.measure == ours.measure,
            None => sent_by.measure.is_like(&ours.measure),
        };
        let hard = if choice.reason == AUDITED { &ours } else { sent_by };
        let hard = hard.is_hard_by(measured.score);
        let by = Aim { measure: sent_by.measure, ..plain.into() };
        is_ours.then(|| (ours.measure, by.score(measured.score), hard))
    }

    /// What the cloud's answer to a frame teaches of which frames are worth sending.
    fn teach(&mut self, outcome: &Outcome, hard: bool) {
        let Outcome { frame, choice, measured, wrong, .. } = outcome;
        let Action::Cascade(Hardness { measure: Measure::Learned(_), .. }) = choice.action else {
            return;
        };
        if let (Some(Measured { features: Some(features), .. }), Some(wrong)) = (measured, wrong) {
            // all hard frames are sent, and of the others those that chance draws
            let chance = if hard { 1.0 } else { self.audits.audit };
            self.lessons.taught(&frame.camera, features, *wrong, chance);
        }
    }
}

impl Policy for Audited {
    fn name(&self) -> &str {
        self.cascade.name()
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let choice = self.unaudited(frame, load);
        match choice.action {
            Action::Cascade(hardness) if chance(frame) < self.audits.audit => {
                let all = sent_from(&hardness, f64::NEG_INFINITY);
                Choice { action: Action::Cascade(all), reason: AUDITED, ..choice }
            }
            action => Choice { action, ..choice },
        }
    }

    fn measured(&mut self, frame: &FrameFacts, choice: &Choice, measured: &Measured) {
        if let Some((measure, score, hard)) = self.judged(frame, choice, measured) {
            let promise = self.audits.promise(frame).map(|promise| (measure, promise));
            self.lessons.frame(&frame.camera, score, hard, promise);
        }
        self.cascade.measured(frame, choice, measured);
    }

    fn learn(&mut self, outcome: &Outcome) {
        let Outcome { frame, choice, measured, loss, .. } = outcome;
        if let (Some(measured), Some(loss)) = (measured, loss)
            && let Some((measure, score, hard)) = self.judged(frame, choice, measured)
        {
            let promise = self.audits.promise(frame).map(|promise| (measure, promise));
            self.lessons.lesson(&frame.camera, (score, *loss), hard, promise);
            self.teach(outcome, hard);
        }
        self.cascade.learn(outcome);
    }

    fn lessons(&self) -> Option<&Lessons> {
        Some(&self.lessons)
    }

    fn lessons_mut(&mut self) -> Option<&mut Lessons> {
        Some(&mut self.lessons)
    }

    fn hand_over(&mut self) -> Option<Lessons> {
        Some(std::mem::take(&mut self.lessons))
    }

    fn take_over(&mut self, lessons: Lessons) {
        self.lessons = lessons;
    }
}

/// Chance for a frame, from 0 on, below 1; the same again in every replay, and not that which picks
/// the share.
fn chance(frame: &FrameFacts) -> f64 {
    const OWN: u64 = 0x6175_6469_7473_2121;
    SplitMix(frame.ordinal ^ frame.sequence.rotate_left(32) ^ OWN).unit()
}

/// The measure with a threshold at which frames are hard whose score is at least `from`: all, or
/// none, where that is infinite.
fn sent_from(hardness: &Hardness, from: f64) -> Hardness {
    let aim = Aim::from(hardness.clone());
    match from {
        f64::NEG_INFINITY => aim.cut(Cut::All),
        f64::INFINITY => aim.cut(Cut::Nothing),
        score => aim.cut(Cut::At { score, inclusive: true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{facts, nth};
    use crate::{End, PolicyConfig};

    fn policy(section: &str) -> Box<dyn Policy> {
        let text = format!("policy = 'cascade'\n[cascade]\n{section}");
        crate::policies::build(&PolicyConfig::from_toml(&text).unwrap()).unwrap()
    }

    /// The cascade of a section without its audits, and these.
    fn cascade(section: &str) -> (Box<dyn Policy>, Audits) {
        let text = format!("policy = 'cascade'\n[cascade]\n{section}");
        let section = PolicyConfig::from_toml(&text).unwrap().cascade;
        (section.edge_first(), section.audits())
    }

    /// A frame with its score goes through a policy, over the text that travels; tells whether it
    /// stayed on the edge. Its loss is told if it did not.
    fn stays(policy: &mut dyn Policy, n: u64, score: f64, loss: f64) -> bool {
        let (frame, load) = (nth(n), Snapshot::default());
        let choice = policy.choose(&frame, &load);
        let Action::Cascade(hardness) = &choice.action else { panic!("{choice:?}") };
        let hardness: Hardness = hardness.to_string().parse().unwrap();
        let measured = Measured { score: Some(score), features: None };
        let sent = hardness.is_hard_by(measured.score);
        policy.measured(&frame, &choice, &measured);
        let (tier, end) = (frame::Destination::Edge, End::Done);
        let loss = sent.then_some(loss);
        let (took_ms, measured) = (9.0, Some(measured));
        let wrong = loss;
        policy.learn(&Outcome { frame, load, choice, tier, end, took_ms, measured, loss, wrong });
        !sent
    }

    const SUM: &str = "hardness = 'regression(0 0 0 0 0 0)>=5,empty=easy'";

    #[test]
    fn audits_are_drawn_by_chance_and_are_told_from_hard_frames() {
        let mut policy = policy(&format!("{SUM}\naudit = 0.1"));
        let (mut easy, mut audited) = (0.0, 0.0);
        for n in 0..4000 {
            let is_hard = n % 4 == 0;
            let is_audit = policy.choose(&nth(n), &Snapshot::default()).reason == AUDITED;
            let stayed = stays(policy.as_mut(), n, if is_hard { 6.0 } else { 1.0 }, 0.25);
            if !is_hard {
                assert_eq!(stayed, !is_audit, "{n}");
                easy += 1.0;
                audited += f64::from(u8::from(!stayed));
            }
        }
        assert!((audited / easy - 0.1f64).abs() < 0.02, "{audited} of {easy}");
        let told = policy.lessons().unwrap().overall();
        assert!((told.hard_share - 0.25).abs() < 0.02, "{told:?}");
        assert!(told.easy.is_some_and(|easy| (easy.mean - 0.75).abs() < 1e-9), "{told:?}");
        assert!(told.audits > 0.8 * audited && told.audits <= audited, "{told:?}");
    }

    #[test]
    fn what_is_promised_is_kept() {
        let mut policy = policy(&format!("{SUM}\nagreement = 0.9"));
        let first = policy.choose(&facts(), &Snapshot::default()).action;
        assert!(
            matches!(&first, Action::Cascade(all) if all.is_hard_by(Some(-9.0)) && all.is_hard_by(None)),
            "before anything is known all are sent: {first:?}"
        );
        let (mut stayed, mut loss) = (0.0, 0.0);
        for n in 0..8000u64 {
            // half of the frames above 7 lose everything
            let score = (n * 37 % 100) as f64 / 10.0;
            let lost = if score > 7.0 && n / 100 % 2 == 0 { 1.0 } else { 0.0 };
            if stays(policy.as_mut(), n, score, lost) {
                stayed += 1.0;
                loss += lost;
            }
        }
        assert!(stayed > 0.5 * 8000.0 && loss <= 0.1 * stayed, "{loss} of {stayed}");
    }

    #[test]
    fn a_contracts_promise_comes_before_the_sections() {
        let mut policy = policy(&format!("{SUM}\naudit = 0.1"));
        let sends_all = |policy: &dyn Policy, frame: &FrameFacts| {
            let Action::Cascade(hardness) = policy.choose(frame, &Snapshot::default()).action
            else {
                panic!("a cascade")
            };
            hardness.is_hard_by(Some(-9.0))
        };
        let frame = |n, agreement| {
            let frame = nth(n);
            let terms = crate::Terms { agreement, ..frame.terms };
            FrameFacts { terms, ..frame }
        };
        let unaudited = |n: &u64| policy.choose(&nth(*n), &Snapshot::default()).reason != AUDITED;
        let n = (0..).find(unaudited).unwrap();
        assert!(!sends_all(policy.as_ref(), &frame(n, None)), "nothing is promised");
        assert!(sends_all(policy.as_ref(), &frame(n, Some(0.9))), "nothing is known yet");
        // frames without a contract go on as before beside it
        stays(policy.as_mut(), n, 6.0, 0.5);
        assert!(!sends_all(policy.as_ref(), &frame(n, None)));
    }

    #[test]
    fn a_frame_in_which_nothing_was_found_keeps_its_score_whatever_the_threshold() {
        for section in ["agreement = 0.9", "hardness = 'uncertainty,empty=hard'\nagreement = 0.9"] {
            let cascade = cascade(section);
            let mut policy = Audited::around(cascade.0, cascade.1);
            let empty = Measured { score: None, features: None };
            let score = |policy: &Audited, n| {
                let (frame, load) = (nth(n), Snapshot::default());
                let choice = policy.choose(&frame, &load);
                policy.judged(&frame, &choice, &empty).unwrap().1
            };
            let before = score(&policy, 0);
            for n in 0..6000 {
                stays(&mut policy, n, (n % 100) as f64 / 10.0, 0.0);
            }
            assert!(stays(&mut policy, 6001, 0.05, 0.0), "a threshold was found");
            assert_eq!(score(&policy, 6002), before, "{section}");
        }
    }

    /// Frames with two features, of which the one that nobody knows beforehand tells the gain; over
    /// the texts that travel. How many boxes were put right of the last frames, and how many frames
    /// were sent.
    fn taught(section: &str, frames: u64) -> (f64, f64, f64) {
        let mut policy = policy(section);
        let mut random = SplitMix(7);
        let (mut won, mut sent, mut all) = (0.0, 0.0, 0.0);
        for n in 0..frames {
            let (frame, load) = (nth(n), Snapshot::default());
            let choice = policy.choose(&frame, &load);
            let Action::Cascade(hardness) = &choice.action else { panic!("{choice:?}") };
            let hardness: Hardness = hardness.to_string().parse().unwrap();
            let mut features = [0.0; crate::FEATURES];
            features[10] = random.unit() as f32;
            features[12] = random.below(4) as f32;
            let wrong = f64::from(features[12]);
            let score = match hardness.measure {
                Measure::Learned(learned) => learned.expected(&features),
                _ => f64::from(features[10]),
            };
            let measured = Measured { score: Some(score), features: Some(features) };
            let is_sent = hardness.is_hard_by(measured.score);
            policy.measured(&frame, &choice, &measured);
            if n >= frames / 2 {
                won += if is_sent { wrong } else { 0.0 };
                sent += f64::from(u8::from(is_sent));
                all += wrong;
            }
            let (tier, end, took_ms) = (frame::Destination::Edge, End::Done, 9.0);
            let (loss, wrong) = (is_sent.then_some(wrong / 3.0), is_sent.then_some(wrong));
            let measured = Some(measured);
            policy.learn(&Outcome {
                frame,
                load,
                choice,
                tier,
                end,
                took_ms,
                measured,
                loss,
                wrong,
            });
        }
        (won / all, sent / (frames - frames / 2) as f64, all)
    }

    #[test]
    fn what_is_learned_sends_the_frames_that_gain_and_keeps_the_share() {
        let (unfitted, ..) = taught("share = 0.25", 4000);
        let (learned, sent, _) = taught("hardness = 'learned'\nshare = 0.25", 4000);
        // a quarter of the frames, chance decides which of them, has a quarter of the boxes, and the
        // best quarter a half
        assert!((0.2..0.3).contains(&unfitted), "{unfitted}");
        assert!(learned > 0.42, "{learned}");
        assert!((sent - 0.25).abs() < 0.02, "{sent}");
    }

    #[test]
    fn under_a_promise_a_learned_measure_sends_less_than_one_that_tells_nothing() {
        let promise = "agreement = 0.8\naudit = 0.05";
        let (_, unfitted, _) = taught(promise, 12_000);
        let (won, sent, _) = taught(&format!("hardness = 'learned'\n{promise}"), 12_000);
        // the losses are 0, 1/3, 2/3 and 1: those of the lower half are 1/6 on the mean
        assert!(sent < 0.65 && sent < unfitted - 0.1, "{sent}, {unfitted}");
        assert!(won > sent + 0.1, "{won} by {sent}");
    }

    #[test]
    fn a_threshold_parts_frames_by_their_scores() {
        for text in [
            "mean-confidence<0.5,empty=hard",
            "max-confidence<0.5,empty=easy",
            "cross-entropy<0.5,empty=easy",
            "ibt(0.5)>=0.5,empty=hard",
            "regression(0 0 0 0 0 0)>=1,empty=easy",
        ] {
            let hardness: Hardness = text.parse().unwrap();
            let travels =
                |from| sent_from(&hardness, from).to_string().parse::<Hardness>().unwrap();
            assert!(travels(0.375).is_hard_by(Some(0.375)), "{text}");
            assert!(travels(0.375).is_hard_by(Some(0.5)), "{text}");
            assert!(!travels(0.375).is_hard_by(Some(0.25)), "{text}");
            assert!(travels(f64::NEG_INFINITY).is_hard_by(Some(0.125)), "{text}");
            assert!(travels(f64::NEG_INFINITY).is_hard_by(None), "{text}");
            assert!(!travels(f64::INFINITY).is_hard_by(Some(0.875)), "{text}");
            assert!(!travels(f64::INFINITY).is_hard_by(None), "{text}");
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        for (section, named) in [
            ("audit = 0.6", "[cascade] audit = 0.6"),
            ("agreement = 1.0", "[cascade] agreement = 1"),
            ("agreement = 0.95\naudit = 0", "[cascade] audit = 0"),
            ("agreement = 0.95\nconfidence = 0.3", "[cascade] confidence = 0.3"),
            ("confidence = 0.9", "[cascade] confidence = 0.9"),
            ("hardness = 'learned'\nshare = 0.2\naudit = 0", "[cascade] audit = 0"),
            (
                "share = 0.2\nhardness = 'learned(0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0)'",
                "'learned' without numbers",
            ),
        ] {
            let text = format!("policy = 'cascade'\n[cascade]\n{section}");
            let error = PolicyConfig::from_toml(&text).unwrap_err();
            assert!(error.to_string().contains(named), "{section}: {error}");
            assert!(error.place(&text).line.is_some_and(|line| line > 2), "{section}");
        }
    }
}
