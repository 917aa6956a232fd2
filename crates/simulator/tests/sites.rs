//! Several sites that share one cloud.

use offload::PolicyConfig;
use simulator::*;

fn policy(name: &str, seed: u64) -> Deciding {
    Deciding::new(&PolicyConfig::named(name).expect("a policy"), seed).expect("a usable policy")
}

/// Runs the same scenario at so many sites, each with its own seed.
fn run(scenario: &Scenario, sites: u32, trace: &Trace, name: &str) -> Vec<History> {
    let scenarios: Vec<Scenario> = (0..sites)
        .map(|site| Scenario {
            seed: Scenario::seed_of_site(scenario.seed, site),
            ..scenario.clone()
        })
        .collect();
    let jobs: Vec<Vec<Job>> = scenarios.iter().map(|site| workload(site, 0)).collect();
    let worlds: Vec<World<'_>> = scenarios
        .iter()
        .zip(&jobs)
        .map(|(scenario, jobs)| World { scenario, trace, jobs, judge: &|_, _| None })
        .collect();
    let mut policies: Vec<Deciding> =
        scenarios.iter().map(|scenario| policy(name, scenario.seed)).collect();
    let dispatchers = policies.iter_mut().map(|policy| policy as &mut dyn Dispatcher).collect();
    simulate_sites(&worlds, dispatchers, &mut || {})
}

fn lte() -> Trace {
    Trace::constant("10 Mbit/s", 10.0).expect("a trace")
}

fn scenario() -> Scenario {
    Scenario { minutes: 4.0, ..Scenario::default() }
}

#[test]
fn one_site_is_what_the_engine_of_one_site_gives() {
    let scenario = scenario();
    let jobs = workload(&scenario, 0);
    let trace = lte();
    let world = World { scenario: &scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None };
    let alone = simulate(world, &mut policy("deadline", scenario.seed), &mut || {});
    assert_eq!(run(&scenario, 1, &trace, "deadline"), [alone]);
}

#[test]
fn sites_take_each_other_the_cloud_away_and_no_frame_is_lost() {
    let scenario = scenario();
    let missed = |sites| {
        let histories = run(&scenario, sites, &lte(), "deadline");
        let reports: Vec<Report> =
            histories.iter().map(|history| Report::of(history, &scenario)).collect();
        assert!(reports.iter().all(|report| report.lost == 0 && report.frames > 3000));
        // the first site has the same frames in each of these worlds
        reports[0].misses
    };
    let (alone, three) = (missed(1), missed(3));
    assert!(three as f64 > 1.3 * alone as f64, "{alone} and {three}");
}

#[test]
fn a_cloud_that_grows_with_its_sites_serves_each_as_if_it_was_alone() {
    // with every frame in the cloud, workers that are shared are better than workers of one's own
    let mut scenario = scenario();
    scenario.load.burst_fps = 15.0;
    scenario.load.deadline_ms = 200.0;
    let alone = Report::of(&run(&scenario, 1, &lte(), "cloud-only")[0], &scenario);
    scenario.cloud.workers = 4;
    let shared = Report::of(&run(&scenario, 4, &lte(), "cloud-only")[0], &scenario);
    assert!(shared.misses < alone.misses, "{} and {}", shared.misses, alone.misses);
}

#[test]
fn an_autoscaler_that_is_shared_sees_the_load_of_all_sites() {
    let mut scenario = scenario();
    scenario.cloud.autoscale = Some(Autoscale { max: 8, start_s: 5.0, ..Autoscale::default() });
    let most = |sites| {
        let histories = run(&scenario, sites, &lte(), "cloud-only");
        let workers = |history: &History| {
            history.scalings.iter().map(|scaling| scaling.workers).max().expect("it scales")
        };
        assert!(histories.iter().all(|history| history.scalings == histories[0].scalings));
        workers(&histories[0])
    };
    assert!(most(3) > most(1), "{} and {}", most(3), most(1));
}

#[test]
fn a_lossy_uplink_misses_more_and_nobody_beats_the_oracle_over_it() {
    let trace = Trace::constant("20 Mbit/s", 20.0).expect("a trace");
    let mut scenario = scenario();
    let mut misses = Vec::new();
    for loss in [
        Loss::default(),
        Loss { share: 0.01, ..Loss::default() },
        Loss { bad_share: 0.3, bad_s: 1.0, every_s: 10.0, share: 0.0 },
    ] {
        scenario.uplink.loss = loss;
        let jobs = workload(&scenario, 0);
        let world = World { scenario: &scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None };
        let own = judge(world, &mut policy("deadline", scenario.seed), &mut || {}).report;
        let schedule = foresee(&scenario, &trace, &jobs, Beam(60), &mut || {});
        let best = judge(world, &mut schedule.dispatcher(), &mut || {}).report;
        let bound = least_misses(&scenario, &trace, &jobs, Knowing::Everything);
        assert!(bound <= best.misses && best.misses <= own.misses, "{loss:?}");
        assert_eq!(own.lost, 0);
        misses.push(own.misses);
    }
    assert!(misses[1] > misses[0] && misses[2] > misses[0], "{misses:?}");
}

#[test]
fn chance_outages_cost_deadlines_and_no_frame() {
    let mut scenario = scenario();
    let missed = |scenario: &Scenario| {
        let report = Report::of(&run(scenario, 1, &lte(), "deadline")[0], scenario);
        assert_eq!(report.lost, 0);
        report.misses
    };
    let steady = missed(&scenario);
    scenario.uplink.outages = Some("30s+5s".parse().expect("outages"));
    assert!(missed(&scenario) > steady);
}

#[test]
fn right_answers_in_time_weigh_accuracy_against_deadlines() {
    let mut scenario = scenario();
    (scenario.edge.accuracy, scenario.cloud.accuracy) = (0.5, 0.9);
    let of = |name| Report::of(&run(&scenario, 1, &lte(), name)[0], &scenario);
    let (edge, cloud) = (of("edge-only"), of("cloud-only"));
    let in_time = |report: &Report| (report.frames - report.misses) as f64 / 240.0;
    assert!((edge.right_per_s - 0.5 * in_time(&edge)).abs() < 1e-9);
    // the cloud's frames that were taken back have the edge's answer
    assert!(cloud.right_per_s > 0.5 * in_time(&cloud) && cloud.right_per_s < 0.9 * in_time(&cloud));
}
