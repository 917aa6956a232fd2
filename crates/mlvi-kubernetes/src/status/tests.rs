//! What two observations come to, and admin ports asked over HTTP.

use super::gather::{Admin, Observation, Process, from_admin};
use super::rows::Status;
use super::show;
use cli::Scrape;
use cluster_inspect::{AutoscalerStatus, DeploymentStatus};
use ports::ReservedPort;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

fn process(name: &str, unit: &str, metrics: &str) -> Process {
    Process { name: name.into(), unit: unit.into(), metrics: Scrape::read(metrics) }
}

fn preprocessor(name: &str, edge: u32, cloud: u32, backlog: u32, breaker: &str) -> Process {
    let text = format!(
        "mlvi_preprocessor_frames_total{{outcome=\"prepared\"}} {}\n\
         mlvi_preprocessor_decisions_total{{destination=\"edge\",reason=\"r\",policy=\"p\"}} \
         {edge}\n\
         mlvi_preprocessor_decisions_total{{destination=\"cloud\",reason=\"r\",policy=\"p\"}} \
         {cloud}\n\
         mlvi_preprocessor_backlog_frames {}\n\
         mlvi_preprocessor_tier_backlog_frames{{tier=\"edge\"}} {backlog}\n\
         mlvi_preprocessor_tier_breaker_state{{tier=\"edge\"}} \
         0.0\nmlvi_preprocessor_tier_breaker_state{{tier=\"cloud\"}} {breaker}\n\
         mlvi_preprocessor_policy{{policy=\"ratio\",source=\"{}\"}} 1\n\
         mlvi_preprocessor_contract_window_frames{{contract=\"gates\",outcome=\"met\"}} 90\n\
         mlvi_preprocessor_contract_window_frames{{contract=\"gates\",outcome=\"missed\"}} 10\n\
         mlvi_preprocessor_contract_promised_share{{contract=\"gates\"}} 0.8\n\
         mlvi_preprocessor_cameras_with_regions{{regions=\"masks\",source=\"file\"}} 3\n\
         mlvi_preprocessor_cameras_with_regions{{regions=\"masks\",source=\"topic\"}} 1\n\
         mlvi_preprocessor_cameras_with_regions{{regions=\"zones\",source=\"file\"}} 2\n\
         mlvi_preprocessor_cameras_with_regions{{regions=\"zones\",source=\"topic\"}} 0\n\
         mlvi_preprocessor_settings_topic {}\n",
        edge + cloud,
        if backlog == 0 { "NaN".to_owned() } else { (10 * backlog).to_string() },
        if name == "p" { "file" } else { "topic" },
        u8::from(name != "p"),
    );
    process(name, "preprocessor", &text)
}

fn edge(name: &str, done: u32) -> Process {
    process(
        name,
        "edge-inference",
        &format!("mlvi_inference_frames_total{{status=\"done\"}} {done}\n"),
    )
}

fn observation(processes: Vec<Process>) -> Observation {
    let deployment = DeploymentStatus {
        name: "edge-inference".into(),
        app: "edge-inference".into(),
        wanted: 4,
        ready: 2,
    };
    let autoscaler = AutoscalerStatus {
        name: "edge".into(),
        deployment: "edge-inference".into(),
        min: 2,
        max: 5,
        current: 2,
        desired: 4,
        metrics: vec!["cpu 91/60 %".into()],
        kept_by: Some("TooManyReplicas: wants more".into()),
    };
    Observation {
        namespace: Some("mlvi".into()),
        deployments: vec![deployment],
        autoscalers: vec![autoscaler],
        processes,
        troubles: Vec::new(),
    }
}

#[test]
fn rates_are_those_between_two_observations() {
    let before =
        observation(vec![preprocessor("p", 100, 50, 3, "0"), edge("a", 500), edge("b", 90)]);
    let now = observation(vec![
        preprocessor("p", 106, 64, 7, "1"),
        preprocessor("q", 0, 0, 9, "0.5"),
        edge("a", 520),
        edge("b", 4),
        edge("c", 6),
    ]);
    let status = Status::between(&before, &now, Duration::from_secs(2));
    let units: Vec<&str> = status.units.iter().map(|row| row.unit.as_str()).collect();
    assert_eq!(units, ["preprocessor", "edge-inference"]);
    assert_eq!(status.units[0].lag, Some(90), "each sees all of it");
    let edge = &status.units[1];
    // 20, and 4 since a new start; of the process that was not seen before it is not known since
    // when
    assert_eq!((edge.frames_per_s, edge.lag, edge.answering), (Some(12.0), Some(9), 3));
    assert_eq!((edge.wanted, edge.ready), (Some(4), Some(2)));
    let decisions = status.decisions.as_ref().unwrap();
    assert_eq!((decisions.cloud_percent, decisions.since_start), (70.0, false));
    assert_eq!((decisions.edge_breaker, decisions.cloud_breaker), (Some("closed"), Some("open")));
    let table = show::table(&status);
    for part in [
        "namespace mlvi",
        "2/4",
        "2-5",
        "2 → 4",
        "cpu 91/60 %",
        "autoscaler edge: TooManyReplicas: wants more",
        "to the cloud 70.0 %",
        "cloud open",
        "policy ratio (file) in 1 of the preprocessors",
        "policy ratio (topic) in 1 of the preprocessors",
        "contract gates: 90.0 % in time",
        "of 200 frames); promised 80.0 %, error budget left 50.0 %",
        "masks: 3 by the file, 1 set; zones: 2 by the file, 0 set",
        "no settings topic for 1 of the preprocessors",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn a_quiet_suite_shows_its_share_since_the_start() {
    let quiet = Observation {
        namespace: None,
        deployments: Vec::new(),
        autoscalers: Vec::new(),
        ..observation(vec![preprocessor("p", 30, 10, 0, "0")])
    };
    let status = Status::between(&quiet, &quiet, Duration::from_secs(1));
    let decisions = status.decisions.as_ref().unwrap();
    assert_eq!((decisions.cloud_percent, decisions.since_start), (25.0, true));
    let row = &status.units[0];
    assert_eq!((row.frames_per_s, row.lag, row.wanted), (Some(0.0), None, None));
    assert!(show::table(&status).contains("1 answer"), "{}", show::table(&status));
}

/// Answers each request with the same text, until the test ends.
fn served(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 2048];
            let _ = stream.read(&mut head);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
        }
    });
    url
}

#[tokio::test]
async fn admin_ports_are_asked_and_one_that_is_silent_is_named() {
    let web = served(
        "# TYPE mlvi_web_server_frames_accepted counter\nmlvi_web_server_frames_accepted_total 7\nmlvi_web_server_pending_frames \
         2\n",
    );
    let tier = served(
        "# TYPE mlvi_inference_frames counter\nmlvi_inference_frames_total{status=\"done\"} 3\n",
    );
    let silent = ReservedPort::loopback().unwrap();
    let gone = format!("http://{}", silent.address());
    let ports = [web, format!("cloud-inference={tier}"), gone.clone()]
        .map(|text| Admin::parse(&text).unwrap());
    let seen = from_admin(&ports).await;
    assert_eq!(seen.troubles.len(), 1);
    assert!(seen.troubles[0].contains(&gone), "{:?}", seen.troubles);
    let status = Status::between(&Observation::default(), &seen, Duration::from_secs(1));
    let units: Vec<(&str, Option<u64>)> =
        status.units.iter().map(|row| (row.unit.as_str(), row.lag)).collect();
    assert_eq!(units, [("web-server", Some(2)), ("cloud-inference", None)]);
    assert_eq!(status.units[0].frames_per_s, Some(0.0), "since when is not known");
}
