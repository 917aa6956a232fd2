//! Whole runs with numbers that can be worked out by hand.

use crate::*;
use proptest::prelude::*;
use std::time::Duration;

fn setup(load: &str) -> FleetSetup {
    FleetSetup {
        seed: 1,
        minutes: 20.0,
        load: load.parse().unwrap(),
        service_ms: 100.0,
        service_sigma: 0.0,
        workers: 1,
        cores_per_frame: 1.0,
        idle_cores: 0.0,
        request_cores: 1.0,
        limit_cores: None,
        pending_s: 2.0,
        start_s: 5.0,
        start_cores: 0.5,
        stop_s: 5.0,
        partitions: Some(12),
        cameras: 0,
        rebalance_s: 3.0,
        metrics_age_s: 5.0,
    }
}

fn spec(min: u32, max: u32, percent: u32) -> Spec {
    let metrics = vec![Metric::CpuUtilisation { container: None, percent }];
    Spec { min, max, metrics, behavior: Some(Behavior::default()) }
}

#[test]
fn an_idle_unit_answers_in_its_service_time_and_stays_small() {
    let run = simulate_fleet(&setup("constant:fps=1"), &spec(1, 10, 60));
    assert_eq!(
        (run.report.latency_ms.p50, run.report.unfinished, run.report.peak_pods),
        (100.0, 0, 1)
    );
    // one pod for 20 minutes
    assert!((run.report.pod_hours - 1.0 / 3.0).abs() < 1e-9);
    assert!(run.report.frames.abs_diff(1200) < 140, "{}", run.report.frames);
    // 1 frame/s × 100 ms
    let measured: Vec<u64> = run.rows.iter().filter_map(|row| row.measured).collect();
    let mean = measured.iter().sum::<u64>() as f64 / measured.len() as f64;
    assert!((mean - 9.5).abs() < 1.5, "{mean} %, of which whole per cents are counted");
}

#[test]
fn it_settles_where_the_load_over_the_target_says() {
    // 20 frames/s × 100 ms keep 2 cores busy: at 50 % that takes 4 pods, and within the tolerance
    // no more than 5
    let run = simulate_fleet(&setup("constant:fps=20"), &spec(1, 12, 50));
    let last = run.rows.last().unwrap();
    assert!((4..=5).contains(&last.wanted) && last.ready == last.wanted, "{last:?}");
    assert_eq!(run.report.unfinished, 0);
}

#[test]
fn a_target_near_what_busy_threads_measure_never_scales() {
    let (overloaded, run) = (setup("constant:fps=20"), |setup: &FleetSetup, percent| {
        simulate_fleet(setup, &spec(1, 12, percent))
    });
    assert_eq!(saturation_percent(&overloaded), 100.0);
    let usable = usable_percent(&overloaded, &spec(1, 12, 50));
    assert!((usable - 98.0 / 1.1).abs() < 1e-9);
    assert_eq!(run(&overloaded, 95).report.peak_pods, 1, "100 % of 95 % is within a tenth");
    assert!(run(&overloaded, 85).report.peak_pods >= 2);
    // a request of half of what is used measures up to 200 %
    let modest = FleetSetup { request_cores: 0.5, ..overloaded };
    assert!(run(&modest, 150).report.peak_pods >= 2);
}

#[test]
fn pods_are_ready_after_their_start_and_measured_after_that() {
    let slow = FleetSetup {
        pending_s: 10.0,
        start_s: 25.0,
        ..setup("step:from_fps=1,to_fps=18,at_s=300")
    };
    let run = simulate_fleet(&slow, &spec(1, 12, 50));
    let first = run.rows.iter().find(|row| row.wanted > 1).unwrap();
    assert!(first.at_s >= 315.0 && first.at_s <= 330.0, "{first:?}");
    let ready_at = run.rows.iter().find(|row| row.ready > 1).unwrap().at_s;
    assert_eq!(
        ready_at - first.at_s,
        45.0,
        "35 s after the evaluation, seen at the third from there"
    );
}

#[test]
fn members_beyond_the_partitions_are_idle_and_help_nobody() {
    let narrow = FleetSetup { partitions: Some(2), ..setup("constant:fps=30") };
    let (two, six) =
        (simulate_fleet(&narrow, &spec(2, 2, 50)), simulate_fleet(&narrow, &spec(6, 6, 50)));
    assert!(six.rows.iter().all(|row| row.consuming == 2 && row.ready == 6));
    assert_eq!(two.latencies_ms, six.latencies_ms);
    assert!((six.report.idle_pod_hours - 4.0 / 3.0).abs() < 1e-9);
    // 30 frames/s for two pods of 10 frames/s each
    assert!(two.rows.last().unwrap().lag.abs_diff(12_000) < 700, "{:?}", two.rows.last());
}

#[test]
fn one_camera_has_one_partition_and_so_one_pod() {
    let many = FleetSetup { cameras: 40, ..setup("constant:fps=30") };
    let one = FleetSetup { cameras: 1, ..many.clone() };
    let run = |setup| simulate_fleet(setup, &spec(6, 6, 50)).report;
    assert!(run(&many).latency_ms.p50 < 1000.0);
    assert!(run(&one).latency_ms.p50 > 60_000.0);
}

#[test]
fn a_unit_without_a_topic_shares_its_work_evenly() {
    let server = FleetSetup { partitions: None, cameras: 1, ..setup("constant:fps=30") };
    let run = simulate_fleet(&server, &spec(6, 6, 50));
    assert!(run.report.latency_ms.p99 < 400.0, "{:?}", run.report);
    assert!(run.rows.iter().all(|row| row.consuming == 6));
}

#[test]
fn a_limit_below_what_the_threads_want_makes_frames_slower() {
    let throttled = FleetSetup { workers: 2, limit_cores: Some(1.0), ..setup("constant:fps=30") };
    let run = simulate_fleet(&throttled, &spec(1, 1, 50));
    // two at a time, each at half the speed, are as many as one at full speed
    assert!(run.rows.last().unwrap().lag.abs_diff(24_000) < 900, "{:?}", run.rows.last());
    assert_eq!(run.rows.last().unwrap().measured, Some(100));
}

#[test]
fn who_is_taken_away_finishes_what_it_has_begun() {
    let step = FleetSetup { start_s: 1.0, ..setup("step:from_fps=40,to_fps=1,at_s=300") };
    let quick = Behavior {
        down: Rules { stabilisation: Duration::ZERO, ..Rules::down() },
        ..Behavior::default()
    };
    let run = simulate_fleet(&step, &Spec { behavior: Some(quick), ..spec(1, 12, 50) });
    assert!(run.report.downs > 0 && run.rows.last().unwrap().ready == 1, "{:?}", run.report);
    assert_eq!(run.report.unfinished, 0);
}

#[test]
fn a_long_rebalance_is_felt() {
    let busy = FleetSetup { service_sigma: 0.2, ..setup("burst") };
    let p99 = |rebalance_s| {
        simulate_fleet(&FleetSetup { rebalance_s, ..busy.clone() }, &spec(2, 12, 50))
            .report
            .latency_ms
            .p99
    };
    assert!(p99(20.0) > p99(0.0) + 1000.0, "{} and {}", p99(20.0), p99(0.0));
}

#[test]
fn lag_scales_by_messages_up_to_the_partitions() {
    let lag = |per_replica| Spec { metrics: vec![Metric::Lag { per_replica }], ..spec(1, 50, 50) };
    let run = simulate_fleet(&setup("constant:fps=200"), &lag(10));
    assert_eq!(
        run.report.peak_pods, 12,
        "KEDA counts no more lag than all partitions could have members for"
    );
    let wide = FleetSetup { partitions: Some(50), ..setup("constant:fps=40") };
    let calm = simulate_fleet(&wide, &lag(10));
    assert!(calm.report.peak_pods > 4 && calm.report.unfinished == 0, "{:?}", calm.report);
}

#[test]
fn a_recommendation_costs_less_than_fixed_pods() {
    let day = FleetSetup {
        service_sigma: 0.2,
        minutes: 40.0,
        ..setup("diurnal:low_fps=1,high_fps=40,period_s=2400")
    };
    let (present, goal) = (spec(1, 12, 85), "600ms@99%".parse().unwrap());
    let found = recommend(Search { setup: &day, present: &present, goal, most: 12 }, &|_, _| {});
    let best = found.best.unwrap();
    assert!(best.meets && best.share >= 0.99 && found.fixed.meets && found.tried > 10, "{best:?}");
    assert!(
        best.pod_hours < 0.9 * found.fixed.pod_hours,
        "{} and {}",
        best.pod_hours,
        found.fixed.pod_hours
    );
    assert!(!found.present.meets, "{:?}", found.present);
    assert!(best.candidate.max >= best.candidate.min && best.candidate.max <= 12);
    // it does so when it is simulated by itself
    let again = simulate_fleet(&day, &best.candidate.put_into(&present));
    assert!(again.share_within(goal.ms) >= 0.99);
}

#[test]
fn short_bursts_cost_no_more_than_fixed_pods() {
    let bursts = FleetSetup { minutes: 10.0, service_ms: 120.0, ..setup("burst") };
    let (present, goal) = (spec(1, 4, 75), "2s@95%".parse().unwrap());
    let found = recommend(Search { setup: &bursts, present: &present, goal, most: 12 }, &|_, _| {});
    let best = found.best.unwrap();
    assert!(
        best.meets && best.pod_hours <= 1.05 * found.fixed.pod_hours,
        "{best:?} and {:?}",
        found.fixed
    );
}

#[test]
fn a_goal_below_the_service_time_cannot_be_met() {
    let (present, goal) = (spec(1, 4, 60), "50ms@99%".parse().unwrap());
    let quick = FleetSetup { minutes: 3.0, ..setup("constant:fps=5") };
    let found = recommend(Search { setup: &quick, present: &present, goal, most: 4 }, &|_, _| {});
    assert_eq!(
        (found.best, found.fixed.meets, found.fixed.candidate.min, found.tried),
        (None, false, 4, 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_run_keeps_to_its_bounds_and_is_repeatable(
        seed in any::<u64>(), fps in 0.5..60.0, min in 1..4_u32, more in 0..10_u32, percent in 10..200_u32,
        workers in 1..4_u32, partitions in prop::option::of(1..14_u32), cameras in 0..6_u32, start_s in 0.0..60.0, down_s in 0..300_u64,
    ) {
        let setup = FleetSetup {
            seed, minutes: 8.0, workers, partitions, cameras, start_s, service_sigma: 0.3,
            ..setup(&format!("burst:base_fps=1,peak_fps={fps},burst_s=60,period_s=150"))
        };
        let mut spec = spec(min, min + more, percent);
        spec.behavior = Some(Behavior { down: Rules { stabilisation: Duration::from_secs(down_s), ..Rules::down() }, ..Behavior::default() });
        let run = simulate_fleet(&setup, &spec);
        prop_assert_eq!(run.rows.len(), 32);
        for row in &run.rows {
            prop_assert!(row.wanted >= min && row.wanted <= min + more);
            prop_assert!(row.consuming <= partitions.unwrap_or(u32::MAX));
        }
        // up to twice as many or four more in 15 s
        for pair in run.rows.windows(2) {
            prop_assert!(pair[1].wanted <= (2 * pair[0].wanted).max(pair[0].wanted + 4));
        }
        let hours = setup.minutes / 60.0;
        prop_assert!(run.report.pod_hours >= f64::from(min) * hours - 1e-9);
        prop_assert!(run.latencies_ms.iter().all(|ms| *ms > 0.0));
        prop_assert_eq!(&run, &simulate_fleet(&setup, &spec));
    }
}
