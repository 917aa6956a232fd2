//! Whole simulations as the command line runs them.

use super::entries::{Entry, Proof, Standing};
use super::options::Setting;
use super::play::{Plan, Played};
use super::{league, plot, traces};
use indicatif::ProgressBar;
use simulator::{Scenario, ServiceTimes, Trace, workload};
use std::path::PathBuf;

fn setting(minutes: f64) -> Setting {
    Setting {
        scenario: Scenario { minutes, ..Scenario::default() },
        seeds: 1,
        times: ServiceTimes::default(),
        folder: PathBuf::new(),
        answers: None,
    }
}

fn play_all(setting: &Setting, trace: &Trace) -> Vec<Standing> {
    let jobs = workload(&setting.scenario, 0);
    let names = ["edge-only", "cloud-only", "alternate", "deadline", "bandit"];
    let mut entries = vec![Entry::oracle(60), Entry::ratio(0.5, &setting.scenario).unwrap()];
    entries.extend(names.iter().map(|name| Entry::named(name, &setting.scenario).unwrap()));
    let bar = ProgressBar::hidden();
    entries
        .iter()
        .map(|entry| entry.play(&setting.scenario, None, trace, &jobs, &bar).unwrap())
        .collect()
}

#[test]
fn on_real_traces_nobody_beats_the_oracle() {
    let Some(reference) = requires::reference_dir() else { return };
    let traces = traces::read_all(&reference.join("../traces")).unwrap();
    assert_eq!(traces.len(), 4);
    let setting = setting(4.0);
    for trace in &traces {
        let standings = play_all(&setting, trace);
        let oracle = &standings[0];
        for standing in &standings {
            assert_eq!(standing.report.lost, 0, "{} on {}", standing.name, trace.name());
            assert!(
                standing.report.misses >= oracle.report.misses,
                "{} on {}",
                standing.name,
                trace.name()
            );
        }
        // a burst is more than the edge alone or the cloud alone can carry
        for name in ["edge-only", "cloud-only"] {
            let alone = standings.iter().find(|standing| standing.name == name).unwrap();
            assert!(
                alone.report.miss_percent > 40.0,
                "{name} on {}: {} %",
                trace.name(),
                alone.report.miss_percent
            );
        }
    }
}

#[test]
fn an_oracle_of_an_autoscaled_tier_is_called_a_bound() {
    let mut setting = setting(2.0);
    setting.scenario.cloud.autoscale = Some(simulator::Autoscale::default());
    let trace = Trace::constant("steady", 10.0).unwrap();
    let oracle = Entry::oracle(60)
        .play(
            &setting.scenario,
            None,
            &trace,
            &workload(&setting.scenario, 0),
            &ProgressBar::hidden(),
        )
        .unwrap();
    assert_eq!(oracle.oracle, Some(Proof::Bound));
}

#[test]
fn results_do_not_depend_on_the_number_of_jobs() {
    let setting = Setting { seeds: 3, ..setting(1.6) };
    let traces = [2.0, 10.0].map(|speed| Trace::constant(format!("{speed}"), speed).unwrap());
    let entries = [
        Entry::oracle(20),
        Entry::named("deadline", &setting.scenario).unwrap(),
        Entry::ratio(0.5, &setting.scenario).unwrap(),
    ];
    let plan = Plan { setting: &setting, traces: &traces, entries: &entries };
    let workloads = plan.workloads();
    let play = |threads| -> Vec<Played> {
        plan.play(&workloads, threads, &ProgressBar::hidden()).unwrap()
    };
    let (alone, together) = (play(1), play(5));
    for (one, other) in alone.iter().zip(&together) {
        let json = |played: &Played| serde_json::to_string(&played.standings).unwrap();
        assert_eq!(json(one), json(other));
        assert_eq!(one.bounds, other.bounds);
        let shown: Vec<&Standing> = one.standings.iter().collect();
        assert_eq!(
            league::table(&shown),
            league::table(&other.standings.iter().collect::<Vec<_>>())
        );
        assert_eq!(league::table(&shown).matches('±').count(), 3 * 12);
        let misses = one.standings[0].each(|report, _| Some(report.misses as f64));
        assert_eq!(misses.len(), 3, "a run a seed");
        for (bound, misses) in one.bounds.iter().zip(misses) {
            assert!(bound[0] as f64 <= misses, "{bound:?} {misses}");
        }
    }
}

#[test]
fn the_table_and_the_plots_show_everybody() {
    let setting = setting(2.0);
    let trace = Trace::constant("10 Mbit/s", 10.0).unwrap();
    let standings = play_all(&setting, &trace);
    let shown: Vec<&Standing> = standings.iter().collect();
    let table = league::table(&shown);
    assert_eq!(table.lines().count(), standings.len() + 1);
    assert!(standings.iter().all(|standing| table.contains(&standing.name)), "{table}");
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(plot::write(dir.path(), &setting.scenario, &trace, &shown).unwrap(), 6);
    for name in ["latency", "distribution", "cost-misses"] {
        let path = |extension| dir.path().join(format!("10-Mbit-s-{name}.{extension}"));
        let svg = std::fs::read_to_string(path("svg")).unwrap();
        assert!(svg.contains("oracle") && svg.contains("10 Mbit/s"), "{name}");
        let file = std::io::BufReader::new(std::fs::File::open(path("png")).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let dark = |from: usize, to: usize| {
            let row = reader.info().width as usize * 3;
            pixels[from * row..to * row]
                .chunks_exact(3)
                .filter(|pixel| pixel.iter().all(|value| *value < 100))
                .count()
        };
        // the title is above the plot, the axis and its name are below: without a font there would
        // be nothing
        assert!(
            dark(0, 38) > 200 && dark(600, 640) > 100,
            "{name}: {} and {}",
            dark(0, 38),
            dark(600, 640)
        );
    }
}
