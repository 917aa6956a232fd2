//! Where the time of a frame goes: each layer beside its arithmetic and its memory.

use super::floors::Floors;
use super::layers::{self, Group};
use crate::bench::busy::{Trust, Watch};
use crate::bench::progress::Progress;
use crate::bench::section::{Grid, Section};
use crate::bench::stats::Series;
use anyhow::Context;
use cli::plot::{Axis, Chart, Kind, Series as Line, colour};
use cli::table::number;
use detector::{Description, OperatorTime, Session};
use frame::RgbImage;
use serde::Serialize;

const WARM_UP: usize = 3;

/// What is profiled.
pub(super) struct What<'a> {
    pub(super) description: &'a Description,
    /// What its numbers are, in a word.
    pub(super) precision: &'static str,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Profile {
    floors: Floors,
    trust: Trust,
    layers: Vec<Group>,
}

/// Profiles a model on one thread, `runs` times.
///
/// # Errors
/// When the network fails, or takes other steps from run to run.
pub(super) fn section(
    what: &What<'_>,
    session: &mut Session,
    photo: &RgbImage,
    runs: usize,
    progress: &Progress,
) -> anyhow::Result<Section> {
    progress.tell("what this machine can do at most");
    let floors = Floors::measure();
    progress.begin("time of each layer", (WARM_UP + runs) as u64);
    let mut all = Vec::with_capacity(runs);
    let mut watch = None;
    for run in 0..WARM_UP + runs {
        if run == WARM_UP {
            watch = Some(Watch::start(&[])?);
        }
        let steps = session.profile(photo)?;
        if run >= WARM_UP {
            all.push(steps);
        }
        progress.step();
    }
    let total = |steps: &Vec<OperatorTime>| steps.iter().map(|step| step.milliseconds).sum();
    let totals = Series::new(all.iter().map(total).collect()).context("at least one run")?;
    let trust = watch.context("at least one run")?.trust([&totals.summary()])?;
    let graph = what.description.graph()?;
    let layers = layers::group(graph.as_ref(), &medians(&all)?);
    let subject = format!("{}, {}", what.description.name(), what.precision);
    render(&subject, &Profile { floors, trust, layers })
}

/// Each step with the median of its times.
fn medians(runs: &[Vec<OperatorTime>]) -> anyhow::Result<Vec<OperatorTime>> {
    let first = runs.first().context("at least one run")?;
    let median = |(index, step): (usize, &OperatorTime)| {
        let times = runs.iter().map(|run| {
            let same = run.get(index).filter(|other| other.node == step.node);
            same.map(|step| step.milliseconds)
        });
        let times = times.collect::<Option<Vec<f64>>>();
        let times = times.and_then(Series::new).with_context(|| {
            format!("the network takes other steps from run to run, first at {}", step.node)
        })?;
        Ok(OperatorTime { milliseconds: times.median(), ..step.clone() })
    };
    first.iter().enumerate().map(median).collect()
}

fn render(model: &str, profile: &Profile) -> anyhow::Result<Section> {
    let Profile { floors, trust, layers } = profile;
    let title = format!("Time of each layer, {model}, one frame on one thread");
    let mut section = Section::new("profile", &title, serde_json::to_value(profile)?);
    section.paragraph(trust.sentence());
    section.paragraph(format!(
        "One core does {:.0} GFLOP/s at most ({}, float32) and reads {:.1} GB/s from memory. The \
         arithmetic floor is the time of a direct convolution at that rate, so that Winograd can be \
         below it; the memory floor is the time in which weights and activations of 32 bits come \
         from memory, and what stays in a cache, or is narrower, is below it.",
        floors.flops / 1e9,
        floors.instructions,
        floors.bytes_per_s / 1e9
    ));
    let all = layers.iter().map(|layer| layer.ms).sum::<f64>();
    let mut grid = Grid::new(&[
        "layer",
        "ms",
        "%",
        "GFLOP",
        "GFLOP/s",
        "weights MB",
        "activations MB",
        "arithmetic floor ms",
        "memory floor ms",
        "what",
        "run by",
    ]);
    for layer in layers.iter().chain([&sum(layers)]) {
        let bytes = layer.weight_bytes + layer.activation_bytes;
        let known = |value: f64| if value > 0.0 { number(value) } else { "–".into() };
        grid.row(vec![
            layer.name.clone(),
            number(layer.ms),
            format!("{:.1}", 100.0 * layer.ms / all.max(f64::MIN_POSITIVE)),
            known(layer.operations / 1e9),
            known(layer.operations / 1e6 / layer.ms.max(f64::MIN_POSITIVE)),
            known(layer.weight_bytes / 1e6),
            known(layer.activation_bytes / 1e6),
            known(floors.arithmetic_ms(layer.operations)),
            known(floors.memory_ms(bytes)),
            layer.what.clone(),
            layer.kernels.clone(),
        ]);
    }
    section.grid(grid);
    section.chart("profile", chart(&title, profile));
    Ok(section)
}

fn sum(layers: &[Group]) -> Group {
    let all = |of: fn(&Group) -> f64| layers.iter().map(of).sum();
    Group {
        name: "all".into(),
        what: String::new(),
        kernels: String::new(),
        ms: all(|layer| layer.ms),
        operations: all(|layer| layer.operations),
        weight_bytes: all(|layer| layer.weight_bytes),
        activation_bytes: all(|layer| layer.activation_bytes),
    }
}

fn chart(title: &str, Profile { floors, layers, .. }: &Profile) -> Chart {
    let line = |name: &str, number: usize, kind: Kind, of: &dyn Fn(&Group) -> f64| Line {
        name: name.into(),
        points: (1..).zip(layers).map(|(x, layer)| (f64::from(x), of(layer))).collect(),
        colour: colour(number),
        kind,
    };
    let memory = |layer: &Group| floors.memory_ms(layer.weight_bytes + layer.activation_bytes);
    let series = vec![
        line("arithmetic floor", 2, Kind::Line, &|layer| floors.arithmetic_ms(layer.operations)),
        line("memory floor", 3, Kind::Line, &memory),
        line("measured", 1, Kind::Bars, &|layer| layer.ms),
    ];
    let values = series.iter().flat_map(|series| series.points.iter().map(|(_, ms)| *ms));
    Chart {
        title: title.into(),
        x: Axis { name: "step".into(), range: 0.0..layers.len() as f64 + 1.0, logarithmic: false },
        y: Axis::from_zero("ms", values),
        series,
        spans: None,
        mark: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(node: &str, milliseconds: f64) -> OperatorTime {
        OperatorTime { node: node.into(), operator: "Conv".into(), milliseconds }
    }

    #[test]
    fn steps_have_their_median() {
        let runs = [3.0, 1.0, 2.0].map(|ms| vec![step("a", ms), step("b", 10.0 * ms)]);
        assert_eq!(medians(&runs).unwrap(), [step("a", 2.0), step("b", 20.0)]);
        let error = medians(&[vec![step("a", 1.0)], vec![step("b", 1.0)]]).unwrap_err();
        assert!(error.to_string().contains("first at a"), "{error}");
        assert!(medians(&[]).is_err());
    }

    #[test]
    fn the_table_has_floors_and_a_sum() {
        let layer = Group {
            name: "layer0".into(),
            what: "3×3 3→16 416×416".into(),
            kernels: "Direct".into(),
            ms: 2.0,
            operations: 4e9,
            weight_bytes: 1e6,
            activation_bytes: 9e6,
        };
        let floors = Floors { instructions: "avx2", flops: 4e12, bytes_per_s: 1e10 };
        let trust = Trust { others: 0.0, stolen: 0.0, scatter: 0.0 };
        let profile = Profile { floors, trust, layers: vec![layer.clone(), layer] };
        let section = render("tiny", &profile).unwrap();
        let dir = tempfile::tempdir().unwrap();
        section.write_charts(dir.path()).unwrap();
        let svg = std::fs::read_to_string(dir.path().join("profile.svg")).unwrap();
        assert!(svg.contains("arithmetic floor") && svg.matches("<rect").count() > 3, "{svg}");
        let text = section.text();
        let sum = text.lines().last().unwrap();
        let cells: Vec<&str> = sum.split_whitespace().collect();
        assert_eq!(cells, ["all", "4.00", "100.0", "8.00", "2000", "2.00", "18.0", "2.00", "2.00"]);
        assert!(text.contains("4000 GFLOP/s") && text.contains("10.0 GB/s"), "{text}");
    }
}
