//! What each measure says of which frame, and the text form.

use super::*;
use frame::BoundingBox;
use proptest::prelude::*;

const IMAGE: ImageSize = ImageSize { width: 100, height: 100 };

pub(super) fn detection(class_id: u32, confidence: f32) -> Detection {
    let bounding_box = BoundingBox { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
    Detection { class: String::new(), class_id, confidence, bounding_box, zones: None }
}

pub(super) fn seen<'a>(confident: &'a [Detection], weak: &'a [Detection]) -> EdgeDetections<'a> {
    EdgeDetections { confident, weak, image: IMAGE }
}

fn found(confidences: &[f32]) -> Vec<Detection> {
    confidences.iter().map(|confidence| detection(1, *confidence)).collect()
}

fn value(text: &str, confidences: &[f32]) -> Option<f64> {
    text.parse::<Hardness>().unwrap().measure.value(&seen(&found(confidences), &[]))
}

fn is_hard(text: &str, confident: &[f32], weak: &[f32]) -> bool {
    text.parse::<Hardness>().unwrap().is_hard(&seen(&found(confident), &found(weak)))
}

pub(super) fn close(value: Option<f64>, wanted: f64) -> bool {
    value.is_some_and(|value| (value - wanted).abs() < 1e-6)
}

#[test]
fn each_measure_says_what_its_source_says() {
    let confidences = [0.9, 0.5, 0.4];
    assert!(close(value("mean-confidence<0.5", &confidences), 0.6));
    assert!(close(value("max-confidence<0.5", &confidences), 0.9));
    assert!(
        close(value("ibt(0.5)>=0.5", &confidences), 2.0 / 3.0),
        "a confidence at the threshold counts as low"
    );
    // 1 + (0.9 ln 0.9 + 0.5 ln 0.5 + 0.4 ln 0.4) / ln 3
    assert!(
        close(value("cross-entropy<0.5", &confidences), 0.264_604_65),
        "{:?}",
        value("cross-entropy<0.5", &confidences)
    );
    assert!(
        is_hard("ibt(0.5)>=0.6", &confidences, &[]) && !is_hard("ibt(0.5)>=0.7", &confidences, &[])
    );
    assert!(
        is_hard("mean-confidence<0.61", &confidences, &[])
            && !is_hard("mean-confidence<0.59", &confidences, &[])
    );
}

#[test]
fn cross_entropy_is_sound_where_its_formula_is_not() {
    // 0 · ln 0 is 0, and one detection is sure at both ends
    assert!(close(value("cross-entropy<0.5", &[1.0, 0.0]), 1.0));
    assert!(
        close(value("cross-entropy<0.5", &[1.0]), 1.0)
            && close(value("cross-entropy<0.5", &[0.0]), 1.0)
    );
    assert!(close(value("cross-entropy<0.5", &[0.5]), 0.0));
    assert_eq!(value("cross-entropy<0.5", &[]), None);
}

#[test]
fn an_empty_frame_means_what_it_is_said_to_mean() {
    for measure in [
        "mean-confidence<0.5",
        "cross-entropy<0.5",
        "ibt(0.5)>=0.5",
        "max-confidence<0.5",
        "regression(0 0 0 0 0 0)>=1",
    ] {
        assert!(is_hard(&format!("{measure},empty=hard"), &[], &[]), "{measure}");
        assert!(!is_hard(&format!("{measure},empty=easy"), &[], &[]), "{measure}");
        assert!(is_hard(measure, &[], &[]), "{measure}: it may be left out");
        let scored = |empty| {
            measure
                .parse::<Hardness>()
                .map(|hardness| Hardness { empty, ..hardness }.score(&seen(&[], &[])))
                .unwrap()
        };
        assert_eq!((scored(Empty::Hard), scored(Empty::Easy)), (f64::INFINITY, f64::NEG_INFINITY));
    }
    for sum in ["uncertainty>=0.5", "missed>=0.5"] {
        assert!(is_hard(&format!("{sum},empty=hard"), &[], &[]), "{sum}");
        assert!(!is_hard(sum, &[], &[]), "{sum}: nothing is a sum of 0");
        let score = |text: &str| text.parse::<Hardness>().unwrap().score(&seen(&[], &[]));
        assert_eq!((score(sum), score(&format!("{sum},empty=hard"))), (0.0, f64::INFINITY));
    }
    // weak detections are something to the measures that use them
    assert!(
        !is_hard("max-confidence<0.1,empty=hard", &[], &[0.2])
            && is_hard("max-confidence<0.3,empty=easy", &[], &[0.2])
    );
    assert!(
        !is_hard("mean-confidence<0.1,empty=easy", &[], &[0.05]),
        "Sedna's measures take detections only"
    );
}

#[test]
fn a_regression_adds_up_its_features() {
    let weigh = |place: usize| {
        let mut weights = [0.0; WEIGHTS];
        weights[place] = 1.0;
        Measure::Regression(Regression { weights })
    };
    let confident = [detection(1, 0.8), detection(2, 0.5), detection(1, 0.6)];
    let mut weak = [detection(3, 0.1)];
    weak[0].bounding_box = BoundingBox { x: 0.0, y: 0.0, width: 50.0, height: 50.0 };
    let seen = seen(&confident, &weak);
    let doubt = (0.16f64 + 0.24).sqrt() + 0.25f64.sqrt() + 0.09f64.sqrt();
    for (place, wanted) in [1.0, doubt, 3.0, 2.0, 0.5, 0.8].into_iter().enumerate() {
        assert!(
            close(weigh(place).value(&seen), wanted),
            "{place}: {:?}",
            weigh(place).value(&seen)
        );
    }
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    let mut odd = [detection(1, f32::NAN), detection(2, f32::INFINITY), detection(3, -1.0)];
    odd[0].bounding_box.width = f32::NAN;
    odd[1].bounding_box.height = f32::INFINITY;
    for text in [
        "mean-confidence<0.5",
        "cross-entropy<0.5",
        "ibt(0.5)>=0.5",
        "max-confidence<0.5",
        "regression(1 1 1 1 1 1)>=1",
        "uncertainty(weak small class)>=1",
        "variance(weak)>=1",
        "errors(small)>=1",
    ] {
        let value = text.parse::<Hardness>().unwrap().measure.value(&seen(&odd, &odd));
        assert!(value.is_some_and(f64::is_finite), "{text}: {value:?}");
    }
}

#[test]
fn a_text_that_is_none_is_answered_with_the_allowed_forms() {
    for (text, word) in [
        ("", "no threshold"),
        ("gut-feeling<0.5", "'gut-feeling' is unknown"),
        ("max-confidence", "no threshold"),
        ("max-confidence>=0.5", "compared by <"),
        ("max-confidence<=0.5", "compared by <"),
        ("ibt(0.5)>0.5", "compared by >="),
        ("ibt>=0.5", "parentheses"),
        ("ibt(0.5>=0.5", "closed"),
        ("ibt(2)>=0.5", "0 to 1"),
        ("max-confidence(0.5)<0.5", "nothing in parentheses"),
        ("max-confidence<1.5", "0 to 1"),
        ("max-confidence<nan", "'nan' is no number"),
        ("cross-entropy<inf", "'inf' is no number"),
        ("max-confidence<0.5,empty=perhaps", "empty=perhaps"),
        ("max-confidence<0.5,empty=easy,", "empty=easy,"),
        ("uncertainty<0.5", "compared by >="),
        ("uncertainty(large)>=0.5", "'large' is none of the flags"),
        ("uncertainty(weak weak)>=0.5", "second time"),
        ("uncertainty(weak>=0.5", "closed"),
        ("missed(weak)>=0.5", "leave 'weak' out"),
        ("errors", "no threshold"),
        ("regression(1 2 3)>=0.5", "it has 3 weights"),
        ("regression(1 2 3 4 5 x)>=0.5", "'x' is no number"),
        ("regression(1 2 3 4 5 1e99)>=0.5", "1e99"),
    ] {
        let error = text.parse::<Hardness>().unwrap_err().to_string();
        assert!(
            error.contains(word) && error.contains("ibt(0.5)>=0.5") && error.contains("empty=hard"),
            "{text}: {error}"
        );
    }
    let spaced: Hardness = " mean-confidence < 0.5 , empty=hard ".parse().unwrap();
    assert_eq!((spaced.threshold, spaced.empty), (0.5, Empty::Hard));
    assert_eq!(spaced.to_string(), "mean-confidence<0.5,empty=hard");
}

fn any_hardness() -> impl Strategy<Value = Hardness> {
    let weights =
        prop::array::uniform6(any::<f32>().prop_filter("finite", |weight| weight.is_finite()));
    let finite = || any::<f64>().prop_filter("finite", |number| number.is_finite());
    let measured = prop_oneof![
        (0.0f64..=1.0).prop_map(|threshold| (Measure::MeanConfidence, threshold)),
        (0.0f64..=1.0).prop_map(|threshold| (Measure::MaxConfidence, threshold)),
        finite().prop_map(|threshold| (Measure::CrossEntropy, threshold)),
        (0.0f64..=1.0, 0.0f64..=1.0)
            .prop_map(|(box_threshold, threshold)| (Measure::Ibt { box_threshold }, threshold)),
        (0usize..4, prop::array::uniform3(any::<bool>()), finite()).prop_map(|(of, flags, at)| {
            let of = [Term::Uncertainty, Term::Variance, Term::Missed, Term::Errors][of];
            let [weak, small, by_class] = flags;
            let weak = weak && matches!(of, Term::Uncertainty | Term::Variance);
            (Measure::Sum(Sum { of, weak, small, by_class }), at)
        }),
        (weights, finite()).prop_map(|(weights, threshold)| (
            Measure::Regression(Regression { weights }),
            threshold
        )),
    ];
    (measured, prop_oneof![Just(Empty::Hard), Just(Empty::Easy)])
        .prop_map(|((measure, threshold), empty)| Hardness { measure, threshold, empty })
}

proptest! {
    #[test]
    fn any_hardness_comes_back_from_its_text(hardness in any_hardness()) {
        let text = hardness.to_string();
        prop_assert!(text.is_ascii() && text.len() < 1024, "{text}");
        prop_assert_eq!(text.parse::<Hardness>(), Ok(hardness), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z(<>=,. 0-9)-]{0,40}|(missed|errors)[(]?[a-z ]{0,9}[)]?>=.{0,5}") {
        let _ = text.parse::<Hardness>();
    }

    #[test]
    fn harder_frames_have_higher_scores(
        hardness in any_hardness(),
        confidences in prop::collection::vec(0.0f32..=1.0, 0..9),
        others in prop::collection::vec(0.0f32..=1.0, 0..9),
    ) {
        let (one, other) = (found(&confidences), found(&others));
        let (one, other) = (seen(&one, &[]), seen(&other, &[]));
        if hardness.is_hard(&one) && !hardness.is_hard(&other) {
            prop_assert!(hardness.score(&one) >= hardness.score(&other));
        }
    }
}
