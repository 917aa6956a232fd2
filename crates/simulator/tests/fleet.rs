//! The fleet's fluid servers against the exact engine.

use offload::PolicyConfig;
use simulator::{
    Deciding, Dispatcher, Fleet, FleetReport, History, Job, Load, Region, Report, Scenario, Trace,
    World, judge, simulate_fleet, simulate_sites, workload,
};

/// 100 cameras at one site.
fn site(fps: f64, seed: u64) -> Scenario {
    let load = Load { cameras: 100, burst_fps: fps, ..Load::default() };
    Scenario { seed, minutes: 8.0, load, ..Scenario::default() }
}

fn fleet(site: Scenario, sites: u32) -> Fleet {
    let region = Region { workers: site.cloud.workers * sites, ..Region::default() };
    Fleet { sites, site, region, ..Fleet::default() }
}

fn simulated(fleet: &Fleet, trace: &Trace) -> FleetReport {
    simulate_fleet(fleet, trace, &mut || {})
}

/// Missed deadlines and answers of the cloud, in per cent of all frames.
fn exact(scenario: &Scenario, trace: &Trace) -> [f64; 2] {
    let jobs = workload(scenario, 0);
    let world = World { scenario, trace, jobs: &jobs, judge: &|_, _| None };
    let config = PolicyConfig::named("deadline").expect("a policy");
    let mut deciding = Deciding::new(&config, scenario.seed).expect("a usable policy");
    let report = judge(world, &mut deciding, &mut || {}).report;
    let cloud = report.cloud_percent * report.answered as f64 / report.frames as f64;
    [report.miss_percent, cloud]
}

#[test]
fn at_100_cameras_it_is_two_points_from_the_exact_engine() {
    for (fps, mbit_s) in [(25.0, 20.0), (50.0, 20.0), (50.0, 4.0), (100.0, 20.0)] {
        let trace = Trace::constant("steady", mbit_s).expect("a valid trace");
        let seeds = [1, 2, 3];
        let mean = |of: &dyn Fn(u64) -> [f64; 2]| {
            let sum = seeds
                .map(of)
                .iter()
                .fold([0.0, 0.0], |sum, [missed, cloud]| [sum[0] + missed, sum[1] + cloud]);
            sum.map(|sum| sum / seeds.len() as f64)
        };
        let exact = mean(&|seed| exact(&site(fps, seed), &trace));
        let fluid = mean(&|seed| {
            let report = simulated(&fleet(site(fps, seed), 1), &trace);
            let cloud = 100.0 * report.total.cloud as f64 / report.total.frames as f64;
            [report.miss_percent, cloud]
        });
        // the cloud's share depends on what the policy finds out by asking it
        assert!((exact[0] - fluid[0]).abs() < 2.0, "{fps} {mbit_s}: {exact:?} {fluid:?}");
        assert!((exact[1] - fluid[1]).abs() < 6.0, "{fps} {mbit_s}: {exact:?} {fluid:?}");
    }
}

/// Missed deadlines and answers of the cloud of several sites that share it, in per cent.
fn exact_sites(fleet: &Fleet, trace: &Trace) -> [f64; 2] {
    let scenarios: Vec<Scenario> =
        (0..fleet.sites).map(|number| fleet.scenario(trace, number)).collect();
    let jobs: Vec<Vec<Job>> = scenarios.iter().map(|scenario| workload(scenario, 0)).collect();
    let worlds: Vec<World<'_>> = scenarios
        .iter()
        .zip(&jobs)
        .map(|(scenario, jobs)| World { scenario, trace, jobs, judge: &|_, _| None })
        .collect();
    let config = PolicyConfig::named("deadline").expect("a policy");
    let mut policies: Vec<Deciding> = scenarios
        .iter()
        .map(|scenario| Deciding::new(&config, scenario.seed).expect("a usable policy"))
        .collect();
    let dispatchers = policies.iter_mut().map(|policy| policy as &mut dyn Dispatcher).collect();
    let histories = simulate_sites(&worlds, dispatchers, &mut || {});
    let all = History::together(histories.iter().map(|history| (history, 20)));
    let report = Report::of(&all, &fleet.site);
    [report.miss_percent, report.cloud_percent * report.answered as f64 / report.frames as f64]
}

#[test]
fn at_100_cameras_at_five_sites_it_is_three_points_from_the_exact_engine() {
    let trace = Trace::constant("steady", 20.0).expect("a valid trace");
    // a cloud that is enough, one that is nearly, and one that is too small
    for workers in [8, 4, 1] {
        let load = Load { cameras: 20, ..Load::default() };
        let seeds = [1, 2, 3];
        let fleets = seeds.map(|seed| {
            let site = Scenario { seed, minutes: 8.0, load: load.clone(), ..Scenario::default() };
            let region = Region { workers, ..Region::default() };
            Fleet { sites: 5, site, region, ..Fleet::default() }
        });
        let mean = |of: &dyn Fn(&Fleet) -> [f64; 2]| {
            let [one, two, three] = [0, 1, 2].map(|number: usize| of(&fleets[number]));
            [0, 1].map(|figure| (one[figure] + two[figure] + three[figure]) / 3.0)
        };
        let exact = mean(&|fleet| exact_sites(fleet, &trace));
        let fluid = mean(&|fleet| {
            let report = simulated(fleet, &trace);
            let cloud = 100.0 * report.total.cloud as f64 / report.total.frames as f64;
            [report.miss_percent, cloud]
        });
        assert!((exact[0] - fluid[0]).abs() < 3.0, "{workers}: {exact:?} {fluid:?}");
        assert!((exact[1] - fluid[1]).abs() < 6.0, "{workers}: {exact:?} {fluid:?}");
    }
}

#[test]
fn every_frame_is_counted_once_and_the_same_fleet_gives_the_same_report() {
    let trace = Trace::constant("steady", 20.0).expect("a valid trace");
    let fleet = fleet(Scenario { minutes: 5.0, ..Scenario::default() }, 20);
    let report = simulated(&fleet, &trace);
    let total = report.total;
    assert_eq!(total.edge + total.cloud + total.missed, total.frames);
    assert_eq!(total.for_region + total.for_uplink, total.missed);
    assert_eq!(report.spans.iter().map(|span| span.frames).sum::<u64>(), total.frames);
    // 20 sites x (300 s at 5/s and two bursts of 30 s at 45/s more), four standard deviations
    assert!(total.frames.abs_diff(97_500) < 14_000, "{}", total.frames);
    assert_eq!(report, simulated(&fleet, &trace));
}

#[test]
fn sites_that_burst_together_need_more_than_sites_that_do_not() {
    let trace = Trace::constant("steady", 20.0).expect("a valid trace");
    let apart = fleet(Scenario { minutes: 4.0, ..Scenario::default() }, 40);
    let together = Fleet { synchronous: true, ..apart.clone() };
    let (apart, together) = (simulated(&apart, &trace), simulated(&together, &trace));
    assert!(together.total.missed > apart.total.missed);
    assert!(together.needs[0].utilisation > apart.needs[0].utilisation);
    assert!(apart.camera_month() > 0.0);
}

#[test]
fn mistakes_are_named_by_line_and_field() {
    let message = |text: &str| Fleet::from_toml(text).unwrap_err().to_string();
    for (text, part) in [
        ("sites = 0", "sites is 0"),
        ("[region]\nbroker = 2", "unknown field `broker`"),
        ("[region]\nreplication = 9", "region.replication is 9"),
        ("[site.load]\nbase_fps = 0", "load.base_fps is 0"),
        ("[prices]\ngigabyte = -1", "prices.gigabyte is -1"),
        ("[site.uplink.loss]\nshare = 0.01", "simulate sites"),
    ] {
        assert!(message(text).contains(part), "{text}: {}", message(text));
    }
    assert!(message("sites = 2\n[region]\nbroker = 2").contains("line 3"));
}
