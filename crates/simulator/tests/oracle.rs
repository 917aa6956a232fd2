//! The oracle against all schedules that there are.

use frame::Destination::{Cloud, Edge};
use proptest::prelude::*;
use simulator::{
    Beam, Cut, Job, Load, Report, Scenario, Schedule, TierSetup, Trace, TraceFormat, UplinkSetup,
    World,
};
use simulator::{Knowing, foresee, least_misses, simulate, workload};

const ROUTES: [Option<frame::Destination>; 3] = [Some(Edge), Some(Cloud), None];

fn play(scenario: &Scenario, trace: &Trace, jobs: &[Job], schedule: &Schedule) -> Report {
    let world = World { scenario, trace, jobs, judge: &|_, _| None };
    Report::of(&simulate(world, &mut schedule.dispatcher(), &mut || {}), scenario)
}

/// The fewest misses of all schedules, by trying every one.
fn brute_force(scenario: &Scenario, trace: &Trace, jobs: &[Job]) -> u64 {
    let schedules = 3_usize.pow(jobs.len() as u32);
    let misses = (0..schedules).map(|number| {
        let routes =
            (0..jobs.len()).map(|frame| ROUTES[number / 3_usize.pow(frame as u32) % 3]).collect();
        play(scenario, trace, jobs, &Schedule { routes, misses: 0, exact: false }).misses
    });
    misses.min().expect("there is always a schedule")
}

fn tier(workers: u32, service_ms: f64) -> TierSetup {
    TierSetup {
        workers,
        service_ms,
        service_sigma: 0.4,
        service_times: None,
        accuracy: 1.0,
        autoscale: None,
    }
}

prop_compose! {
    fn small_case()(
        seed: u64, edges in 1..3u32, clouds in 1..3u32,
        edge_ms in 20.0..150.0f64, cloud_ms in 5.0..100.0f64,
        fps in 10.0..60.0f64, deadline_ms in 60.0..300.0f64,
        mahimahi: bool, cut in prop::option::of(0.0..0.3f64),
        speeds in prop::collection::vec(0.5..20.0f64, 4),
    ) -> (Scenario, Trace) {
        let scenario = Scenario {
            seed,
            minutes: 0.05,
            preprocess_ms: 5.0,
            load: Load { base_fps: fps, burst_s: 0.0, deadline_ms, ..Load::default() },
            edge: tier(edges, edge_ms),
            cloud: tier(clouds, cloud_ms),
            uplink: UplinkSetup {
                rtt_ms: 10.0,
                cuts: cut.map(|from_s| Cut { from_s, for_s: 0.15 }).into_iter().collect(),
                ..UplinkSetup::default()
            },
            ..Scenario::default()
        };
        let trace = if mahimahi {
            // packets in clumps, so that some frames get through at once and others hardly
            let time = |i: u64| i + i / 40 * 60 + i % 40 / 20 * speeds[0] as u64;
            let mut times: Vec<u64> = (0..400).map(time).collect();
            times.sort_unstable();
            let text: Vec<String> = times.iter().map(u64::to_string).collect();
            Trace::parse("clumps", &text.join("\n"), &TraceFormat::Mahimahi).expect("a valid trace")
        } else {
            let row = |(i, speed): (usize, &f64)| format!("{},{speed}", i as f64 * 0.1);
            let rows: Vec<String> = speeds.iter().enumerate().map(row).collect();
            let text = format!("time_s,mbit_s\n{}", rows.join("\n"));
            Trace::parse("steps", &text, &TraceFormat::of("steps.csv")).expect("a valid trace")
        };
        (scenario, trace)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_schedule_misses_fewer((scenario, trace) in small_case()) {
        let jobs = &workload(&scenario, 0)[..7];
        let schedule = foresee(&scenario, &trace, jobs, Beam(100_000), &mut || {});
        prop_assert!(schedule.exact);
        prop_assert_eq!(schedule.misses, brute_force(&scenario, &trace, jobs));
        prop_assert_eq!(play(&scenario, &trace, jobs, &schedule).misses, schedule.misses);
        let bound = least_misses(&scenario, &trace, jobs, Knowing::Everything);
        prop_assert!(bound <= schedule.misses, "{} of {}", bound, schedule.misses);
    }

    #[test]
    fn a_schedule_comes_true_and_a_narrow_beam_is_no_better(
        (scenario, trace) in small_case(), beam in 1..20usize,
    ) {
        let jobs = workload(&scenario, 0);
        let wide = foresee(&scenario, &trace, &jobs, Beam(300), &mut || {});
        let narrow = foresee(&scenario, &trace, &jobs, Beam(beam), &mut || {});
        for schedule in [&wide, &narrow] {
            let report = play(&scenario, &trace, &jobs, schedule);
            prop_assert_eq!((report.misses, report.lost), (schedule.misses, 0));
            // it sends nothing in vain
            prop_assert_eq!(report.answered, jobs.len() as u64 - schedule.misses);
            let bound = least_misses(&scenario, &trace, &jobs, Knowing::Everything);
            prop_assert!(bound <= schedule.misses, "{} of {}", bound, schedule.misses);
        }
        if wide.exact {
            prop_assert!(narrow.misses >= wide.misses);
        }
        if narrow.exact {
            prop_assert!(narrow.misses <= wide.misses);
        }
    }
}

#[test]
fn without_deadlines_everything_stays_on_the_edge() {
    let scenario = Scenario {
        minutes: 3.0,
        load: Load { deadline_ms: 0.0, ..Load::default() },
        ..Scenario::default()
    };
    let trace = Trace::constant("steady", 5.0).unwrap();
    let jobs = workload(&scenario, 0);
    let schedule = foresee(&scenario, &trace, &jobs, Beam::default(), &mut || {});
    assert_eq!(schedule.misses, 0);
    assert!(schedule.routes.iter().all(|route| *route == Some(Edge)), "it costs nothing there");
}

#[test]
fn the_bound_is_near_the_oracle_in_a_long_overload() {
    let scenario = Scenario { minutes: 4.0, ..Scenario::default() };
    let trace = Trace::constant("steady", 5.0).unwrap();
    let jobs = workload(&scenario, 0);
    let misses = foresee(&scenario, &trace, &jobs, Beam(60), &mut || {}).misses;
    let bound = least_misses(&scenario, &trace, &jobs, Knowing::Everything);
    let unknowing = least_misses(&scenario, &trace, &jobs, Knowing::Sizes);
    assert!(bound * 10 > misses * 7 && bound <= misses, "{bound} of {misses}");
    assert!(
        unknowing > bound,
        "{unknowing}: who does not know service times cannot choose by them"
    );
}
