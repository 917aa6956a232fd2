//! The command as it is called, from manifest to snippet.

use super::input::Input;
use super::{AutoscaleArgs, advice, charts, recommend, show, snippet};
use autoscale::{Candidate, Trial, simulate_fleet};
use clap::Parser;
use manifests::{Autoscaler, documents};
use std::path::Path;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: AutoscaleArgs,
}

const HPAS: &str = r"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: edge-inference}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: edge-inference}
  minReplicas: 1
  maxReplicas: 6
  metrics:
    - type: ContainerResource
      containerResource: {container: edge-inference, name: cpu, target: {type: Utilization, averageUtilization: 60}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web-server}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web-server}
  maxReplicas: 3
";

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge-inference}
spec:
  template:
    spec:
      containers:
        - name: edge-inference
          env: [{name: MLVI_MODEL_THREADS, value: "2"}]
          envFrom: [{configMapRef: {name: mlvi-bus}}]
          resources: {requests: {cpu: "2"}}
          lifecycle: {preStop: {sleep: {seconds: 4}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mlvi-bus}
data: {MLVI_PARTITIONS: "4"}
"#;

/// A deploy folder with `autoscale.yml` and the unit's own folder.
fn folder(hpas: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("autoscale.yml"), hpas).unwrap();
    std::fs::create_dir(dir.path().join("edge-inference")).unwrap();
    std::fs::write(dir.path().join("edge-inference/all.yml"), DEPLOYMENT).unwrap();
    dir
}

fn args(dir: &Path, more: &[&str]) -> AutoscaleArgs {
    let file = dir.join("autoscale.yml").display().to_string();
    let line = ["autoscale", file.as_str()];
    Line::parse_from(line.iter().chain(more)).args
}

fn read(dir: &Path, more: &[&str]) -> anyhow::Result<Input> {
    Input::read(&args(dir, more))
}

#[test]
fn manifests_tell_what_options_do_not() {
    let dir = folder(HPAS);
    let input = read(dir.path(), &[]).unwrap();
    let setup = &input.setup;
    assert_eq!(
        (setup.workers, setup.request_cores, setup.partitions, setup.stop_s),
        (2, 2.0, Some(4), 4.0)
    );
    assert_eq!((input.scaler.spec.min, input.scaler.spec.max, setup.minutes), (1, 6, 60.0));
    let over = [
        "--workers",
        "3",
        "--cpu-request",
        "1500m",
        "--partitions",
        "9",
        "--stop-s",
        "0",
        "--share",
        "0.5",
        "--load",
        "constant:fps=8",
    ];
    let setup = read(dir.path(), &over).unwrap().setup;
    assert_eq!(
        (setup.workers, setup.request_cores, setup.partitions, setup.stop_s),
        (3, 1.5, Some(9), 0.0)
    );
    assert_eq!(setup.load.fps(1.0), 4.0);
    let set = [
        "--set",
        "spec.maxReplicas=4",
        "--set",
        "spec.metrics.0.containerResource.target.averageUtilization=45",
    ];
    let spec = read(dir.path(), &set).unwrap().scaler.spec;
    assert_eq!((spec.max, spec.cpu_percent()), (4, Some(45)));
    // what the API server fills in, and a unit that consumes no topic
    let web = read(dir.path(), &["--unit", "web-server"]).unwrap();
    assert_eq!((web.scaler.spec.cpu_percent(), web.setup.partitions), (Some(80), None));
    assert!(
        web.notes().iter().any(|note| note.contains("no Deployment web-server")),
        "{:?}",
        web.notes()
    );
}

#[test]
fn bad_input_is_named_and_is_a_mistake_of_the_caller() {
    let dir = folder(HPAS);
    std::fs::write(dir.path().join("load.csv"), "time_s,frames_per_s\n0,x\n").unwrap();
    let csv = dir.path().join("load.csv").display().to_string();
    for (line, parts) in [
        (vec!["--unit", "edge"], vec!["--unit edge", "edge-inference"]),
        (
            vec!["--unit", "preprocessor"],
            vec![
                "autoscale.yml",
                "no autoscaler scales preprocessor",
                "edge-inference, web-server",
            ],
        ),
        (vec!["--load", "waves"], vec!["--load", "waves", "constant"]),
        (vec!["--load", csv.as_str()], vec!["load.csv", "line 2"]),
        (vec!["--share", "0"], vec!["--share is 0"]),
        (
            vec!["--minutes", "1000", "--load", "constant:fps=5000"],
            vec!["300 million frames", "50 million", "fewer --minutes"],
        ),
        (
            vec!["--set", "spec.maxReplica=4"],
            vec!["--set spec.maxReplica=4", "spec.maxReplica is not known"],
        ),
        (vec!["--set", "spec.metrics.7.type=Pods"], vec!["'7' is not the number of an item"]),
        (vec!["--set", "spec"], vec!["PATH=VALUE"]),
        (vec!["--set", "spec.maxReplicas=2001"], vec!["2001 pods are more than the 2000"]),
        (
            vec!["--set", "spec.metrics.0.containerResource.target.averageUtilization=120"],
            vec!["120 %", "never reached", "measures 101 %"],
        ),
        (
            vec!["--set", "spec.metrics.0.containerResource.container=other"],
            vec!["container 'other'", "have: edge-inference"],
        ),
        (vec!["--cpu-request", "much"], vec!["--cpu-request much"]),
        (vec!["--workers", "0"], vec!["--workers is 0", "1 to 1000"]),
        (vec!["--service-ms", "-5"], vec!["--service-ms is -5"]),
        (vec!["--deploy", "nowhere"], vec!["nowhere"]),
        (vec!["--measured", "nowhere"], vec!["--measured nowhere"]),
    ] {
        let line: Vec<String> = line.iter().map(|part| (*part).to_owned()).collect();
        let joined: Vec<&str> = line.iter().map(String::as_str).collect();
        // a value may begin with a dash
        let joined: Vec<String> = joined.chunks(2).map(|pair| pair.join("=")).collect();
        let error =
            read(dir.path(), &joined.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
        let message = format!("{error:#}");
        assert!(parts.iter().all(|part| message.contains(part)), "{line:?}: {message}");
        assert!(error.is::<cli::UsageError>(), "{line:?}");
    }
    for (from, to, part) in [
        (
            "name: web-server}\n  maxReplicas",
            "name: webserver}\n  maxReplicas",
            "'webserver', which is no unit",
        ),
        (
            "kind: Deployment, name: web",
            "kind: StatefulSet, name: web",
            "the StatefulSet 'web-server'",
        ),
        (
            "kind: Deployment, name: web-server",
            "kind: Deployment, name: edge-inference",
            "scaled by more than one",
        ),
    ] {
        let dir = folder(&HPAS.replacen(from, to, 1));
        let message = format!("{:#}", read(dir.path(), &[]).unwrap_err());
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn the_service_time_comes_from_a_units_metrics() {
    let dir = folder(HPAS);
    let path = dir.path().join("metrics.txt");
    let of = |stage, sum, count| {
        format!(
            "mlvi_inference_stage_seconds_sum{{stage=\"{stage}\"}} \
             {sum}\nmlvi_inference_stage_seconds_count{{stage=\"{stage}\"}} {count}\n"
        )
    };
    std::fs::write(
        &path,
        of("decode", 1.0, 100) + &of("inference", 12.0, 100) + &of("queue", 900.0, 100),
    )
    .unwrap();
    let file = path.display().to_string();
    let input = read(dir.path(), &["--measured", &file]).unwrap();
    assert!((input.setup.service_ms - 130.0).abs() < 1e-9, "{}", input.setup.service_ms);
    assert!(show::head(&input).contains("130.0 ms a frame"));
    std::fs::write(&path, "mlvi_other 1\n").unwrap();
    let message = read(dir.path(), &["--measured", &file]).unwrap_err().to_string();
    assert!(message.contains("no observations of mlvi_inference_stage_seconds"), "{message}");
}

#[test]
fn what_stands_out_is_said() {
    let dir = folder(HPAS);
    let said = |more: &[&str]| {
        let input = read(dir.path(), more).unwrap();
        advice::of(&input, &simulate_fleet(&input.setup, &input.scaler.spec)).join("\n")
    };
    let short = ["--minutes=10", "--service-ms=100"];
    let with = |more: &[&'static str]| {
        short.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>()
    };
    let high =
        said(&with(&["--set=spec.metrics.0.containerResource.target.averageUtilization=95"]));
    assert!(
        high.contains("at a target of 95 %")
            && high.contains("never asks for more pods; targets up to 89 % work"),
        "{high}"
    );
    let steep = said(&with(&["--load=constant:fps=90"]));
    assert!(
        steep.contains("maxReplicas is 6, but there are 4 partitions: 2 pods")
            && steep.contains("pod-hours were spent"),
        "{steep}"
    );
    assert!(steep.contains("wanted more than its maximum of 6"), "{steep}");
    assert!(said(&with(&["--cameras=2"])).contains("2 cameras fill at most 2 partitions"));
    let bursts = said(&with(&[]));
    assert!(
        bursts.contains("it lasts 30 s") && bursts.contains("so minReplicas decides"),
        "{bursts}"
    );
    let calm = said(&with(&[
        "--load=constant:fps=1",
        "--set=spec.maxReplicas=4",
        "--set=spec.metrics.0.containerResource.target.averageUtilization=50",
    ]));
    assert_eq!(calm, "");
}

#[test]
fn a_recommendation_is_shown_and_its_snippet_says_the_same() {
    let dir = folder(HPAS);
    let line = [
        "--minutes=20",
        "--service-ms=100",
        "--load=diurnal:low_fps=1,high_fps=50,period_s=1200",
        "--partitions=12",
    ];
    let input = read(dir.path(), &line).unwrap();
    let goal = "800ms@95%".parse().unwrap();
    let found = recommend::search(&input, goal);
    let best = found.best.as_ref().unwrap();
    let text = show::recommendation(&input, goal, &found);
    assert!(text.contains("recommended") && text.contains("always there"), "{text}");
    // put over the manifest the snippet gives what was recommended
    let manifest = documents(HPAS).unwrap().remove(0);
    let patch: serde_json::Value =
        documents(&format!("kind: x\n{}", snippet::of(&input.scaler, best))).unwrap().remove(0);
    let mut merged = manifest;
    for (key, value) in patch["spec"].as_object().unwrap() {
        merged["spec"][key] = value.clone();
    }
    let read_back = Autoscaler::read(&merged).unwrap().unwrap().spec;
    assert_eq!(Candidate::of(&read_back), best.candidate);
    assert_eq!(read_back.metrics, best.candidate.put_into(&input.scaler.spec).metrics);
}

#[test]
fn a_snippet_for_keda_has_its_fields() {
    let text = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: \
        edge-inference}\nspec:\n  \
                scaleTargetRef: {name: edge-inference}\n  maxReplicaCount: 6\n  triggers: [{type: \
                kafka, metadata: {lagThreshold: \"5\"}}]\n";
    let dir = folder(text);
    let input = read(dir.path(), &["--minutes=5"]).unwrap();
    let candidate = Candidate { min: 2, max: 4, target: 20, down_s: 120 };
    let outcome = Trial {
        candidate,
        share: 1.0,
        p99_ms: 1.0,
        pod_hours: 1.0,
        changes: 0.0,
        thrash: 0.0,
        peak_pods: 3,
        meets: true,
    };
    let patch: serde_json::Value =
        documents(&format!("kind: x\n{}", snippet::of(&input.scaler, &outcome))).unwrap().remove(0);
    let mut object = documents(text).unwrap().remove(0);
    for key in ["minReplicaCount", "maxReplicaCount", "advanced"] {
        object["spec"][key] = patch["spec"][key].clone();
    }
    object["spec"]["triggers"][0]["metadata"]["lagThreshold"] =
        patch["spec"]["triggers"][0]["metadata"]["lagThreshold"].clone();
    assert_eq!(Candidate::of(&Autoscaler::read(&object).unwrap().unwrap().spec), candidate);
}

#[test]
fn tables_and_plots_show_the_run() {
    let dir = folder(HPAS);
    let input = read(dir.path(), &["--minutes=10", "--service-ms=100"]).unwrap();
    let run = simulate_fleet(&input.setup, &input.scaler.spec);
    let table = show::over_time(&input, &run, None);
    // 10 minutes in steps of 15 s, an empty line and a header
    assert_eq!(table.lines().count(), 42, "{table}");
    assert_eq!(show::over_time(&input, &run, Some(60.0)).lines().count(), 12);
    let summary = show::summary(&run, Some("500ms@99%".parse().unwrap()));
    assert!(summary.contains("the goal is 99") && summary.contains("pod-hours"), "{summary}");
    let out = dir.path().join("plots");
    std::fs::create_dir(&out).unwrap();
    assert_eq!(
        charts::write(&out, &input, &run, Some(&run), Some("500ms@99%".parse().unwrap())).unwrap(),
        6
    );
    for name in ["pods", "latency", "lag"] {
        let svg = std::fs::read_to_string(out.join(format!("edge-inference-{name}.svg"))).unwrap();
        assert!(
            svg.contains("edge-inference under load burst") && svg.contains("recommended"),
            "{name}"
        );
        assert!(
            std::fs::metadata(out.join(format!("edge-inference-{name}.png"))).unwrap().len() > 5000
        );
    }
}
