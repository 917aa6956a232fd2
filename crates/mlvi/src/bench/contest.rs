//! Several runners, measured in turn.

use super::busy::{Trust, Watch};
use super::progress::Progress;
use super::section::{Grid, Section};
use super::stats::{Series, Summary};
use anyhow::Context;
use cli::plot::{Axis, Chart, Kind, Series as Line, colour};
use cli::table::number;
use serde::Serialize;

/// Gives a number each time that it is called.
type Measure = Box<dyn FnMut() -> anyhow::Result<f64>>;

/// Somebody who is measured.
pub(super) struct Runner {
    pub(super) name: String,
    /// Ours are what the others are compared with.
    pub(super) ours: bool,
    /// Of processes of its own.
    pub(super) pids: Vec<u32>,
    pub(super) measure: Measure,
    /// A remark for the report.
    pub(super) remark: Option<String>,
}

/// Who could not be measured, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Absent {
    pub(super) name: String,
    pub(super) why: String,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// Less is better.
    Milliseconds,
    /// More is better.
    FramesPerSecond,
}

/// How often, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Rounds that do not count.
    pub(super) warm_up: usize,
    pub(super) rounds: usize,
    pub(super) unit: Unit,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) rows: Vec<Row>,
    pub(super) absent: Vec<Absent>,
    pub(super) trust: Trust,
}

/// One runner's numbers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) ours: bool,
    pub(super) summary: Summary,
    /// In the order of measuring.
    pub(super) values: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remark: Option<String>,
}

/// Asks each of them once a round; who begins moves on from round to round, so that a machine whose
/// speed drifts does so for all of them.
///
/// # Errors
/// When one of them fails; its name is told.
pub(super) fn run(
    what: &str,
    mut runners: Vec<Runner>,
    absent: Vec<Absent>,
    plan: Plan,
    progress: &Progress,
) -> anyhow::Result<Outcome> {
    let mut values = vec![Vec::with_capacity(plan.rounds); runners.len()];
    let mut watch = None;
    let pids: Vec<u32> = runners.iter().flat_map(|runner| runner.pids.iter().copied()).collect();
    progress.begin(what, (plan.warm_up + plan.rounds) as u64);
    for round in 0..plan.warm_up + plan.rounds {
        if round == plan.warm_up {
            watch = Some(Watch::start(&pids)?);
        }
        for step in 0..runners.len() {
            let place = (round + step) % runners.len();
            let runner = &mut runners[place];
            let value = (runner.measure)().with_context(|| runner.name.clone())?;
            if round >= plan.warm_up {
                values[place].push(value);
            }
        }
        progress.step();
    }
    let row = |(runner, values): (&Runner, Vec<f64>)| {
        let summary = Series::new(values.clone()).context("a benchmark needs a round")?.summary();
        let (name, remark) = (runner.name.clone(), runner.remark.clone());
        Ok(Row { name, ours: runner.ours, summary, values, remark })
    };
    let rows = runners.iter().zip(values).map(row).collect::<anyhow::Result<Vec<Row>>>()?;
    let watch = watch.context("a benchmark needs a round")?;
    let trust = watch.trust(rows.iter().map(|row| &row.summary))?;
    Ok(Outcome { what: what.into(), unit: plan.unit, rows, absent, trust })
}

impl Outcome {
    /// What everybody is compared with: the first of ours.
    pub(super) fn reference(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.ours)
    }

    /// Ours against another row: by medians, and by the best of each.
    pub(super) fn ratio(&self, other: &Row) -> Option<(f64, f64)> {
        let ours = &self.reference()?.summary;
        let best = |summary: &Summary| match self.unit {
            Unit::Milliseconds => summary.min,
            Unit::FramesPerSecond => summary.max,
        };
        let of = |ours: f64, other: f64| (other > 0.0).then(|| ours / other);
        Some((of(ours.median, other.summary.median)?, of(best(ours), best(&other.summary))?))
    }

    /// As a part of a report; `key` names its files.
    pub(super) fn section(&self, key: &str) -> anyhow::Result<Section> {
        let unit = match self.unit {
            Unit::Milliseconds => "ms",
            Unit::FramesPerSecond => "frames/s",
        };
        let reference = self.reference().map_or("mlvi", |row| row.name.as_str());
        let mut grid = Grid::new(&[
            unit,
            "min",
            "median",
            "max",
            &format!("`{reference}` / it"),
            "by the best",
        ]);
        for row in &self.rows {
            let Summary { min, median, max, .. } = row.summary;
            let is_reference = self.reference().is_some_and(|ours| std::ptr::eq(ours, row));
            let ratio = self.ratio(row).filter(|_| !is_reference);
            let shown =
                |value: Option<f64>| value.map_or("–".into(), |ratio| format!("{ratio:.2}"));
            grid.row(vec![
                row.name.clone(),
                number(min),
                number(median),
                number(max),
                shown(ratio.map(|(medians, _)| medians)),
                shown(ratio.map(|(_, best)| best)),
            ]);
        }
        let mut section = Section::new(key, &self.what, serde_json::to_value(self)?);
        section.paragraph(self.trust.sentence());
        section.grid(grid);
        let remarks = self
            .rows
            .iter()
            .filter_map(|row| Some(format!("{}: {}.", row.name, row.remark.as_ref()?)));
        let absent =
            self.absent.iter().map(|Absent { name, why }| format!("Missing: {name}, {why}."));
        section.list(remarks.chain(absent).collect());
        section.chart(key, self.chart(unit));
        Ok(section)
    }

    /// Every measurement, so that drift and outliers are seen.
    fn chart(&self, unit: &str) -> Chart {
        let line = |(place, row): (usize, &Row)| Line {
            name: row.name.clone(),
            points: (1..).zip(&row.values).map(|(x, y)| (f64::from(x), *y)).collect(),
            colour: colour(place),
            kind: if row.values.len() > 1 { Kind::Line } else { Kind::Dots },
        };
        let rounds = self.rows.iter().map(|row| row.values.len()).max().unwrap_or(1);
        let values = self.rows.iter().flat_map(|row| row.values.iter().copied());
        Chart {
            title: self.what.clone(),
            x: Axis { name: "round".into(), range: 0.0..rounds as f64 + 1.0, logarithmic: false },
            y: Axis::from_zero(unit, values),
            series: self.rows.iter().enumerate().map(line).collect(),
            spans: None,
            mark: None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A runner that gives these numbers, one after the other.
    fn runner(name: &str, ours: bool, values: &[f64]) -> Runner {
        let mut values = Vec::from(values).into_iter();
        let measure = Box::new(move || values.next().context("asked too often"));
        Runner { name: name.into(), ours, pids: Vec::new(), measure, remark: None }
    }

    pub(in crate::bench) fn outcome() -> Outcome {
        let runners = vec![
            runner("mlvi", true, &[9.0, 1.0, 2.0, 3.0]),
            runner("peer", false, &[9.0, 4.0, 2.0, 6.0]),
        ];
        let absent = vec![Absent { name: "OpenCV".into(), why: "it is not installed".into() }];
        let plan = Plan { warm_up: 1, rounds: 3, unit: Unit::Milliseconds };
        run("One frame", runners, absent, plan, &Progress::hidden()).unwrap()
    }

    #[test]
    fn ours_is_compared_by_medians_and_by_the_best() {
        let outcome = outcome();
        assert_eq!(outcome.rows[1].values, [4.0, 2.0, 6.0], "the first round warms up");
        assert_eq!(outcome.ratio(&outcome.rows[1]), Some((0.5, 0.5)));
        let faster = Outcome { unit: Unit::FramesPerSecond, ..outcome };
        assert_eq!(faster.ratio(&faster.rows[1]), Some((0.5, 0.5)), "3 of at most 6 a second");
        let nobody = Outcome { rows: faster.rows[1..].to_vec(), ..faster };
        assert_eq!(nobody.ratio(&nobody.rows[0]), None);
    }

    #[test]
    fn a_section_names_who_is_missing() {
        let text = outcome().section("latency").unwrap().text();
        assert!(text.contains("Missing: OpenCV, it is not installed."), "{text}");
        assert!(text.contains("peer") && text.contains("0.50"), "{text}");
    }

    #[test]
    fn who_fails_is_named() {
        let runners = vec![runner("broken", true, &[])];
        let plan = Plan { warm_up: 0, rounds: 1, unit: Unit::Milliseconds };
        let error = run("One", runners, Vec::new(), plan, &Progress::hidden()).unwrap_err();
        assert_eq!(format!("{error:#}"), "broken: asked too often");
    }
}
