//! The fleet's fluid servers against the exact engine.

use offload::PolicyConfig;
use simulator::{
    Deciding, Fleet, FleetReport, Load, Region, Scenario, Trace, World, judge, simulate_fleet,
    workload,
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
    ] {
        assert!(message(text).contains(part), "{text}: {}", message(text));
    }
    assert!(message("sites = 2\n[region]\nbroker = 2").contains("line 3"));
}
