//! What is there: objects of the cluster, and the metrics of each process.

use cli::Scrape;
use cli::UsageError;
use cluster::ApiError;
use cluster_inspect::{AutoscalerStatus, DeploymentStatus, Inspector};
use std::time::Duration;
use units::UnitKind;

/// How long an admin port may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was seen at one moment.
#[derive(Clone, Default, Debug)]
pub(super) struct Observation {
    /// Where: a namespace, or nothing.
    pub(super) namespace: Option<String>,
    pub(super) deployments: Vec<DeploymentStatus>,
    pub(super) autoscalers: Vec<AutoscalerStatus>,
    pub(super) processes: Vec<Process>,
    /// What could not be seen, in words.
    pub(super) troubles: Vec<String>,
}

/// The metrics of one process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Pod or address: what tells it from others, also the next time.
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) metrics: Scrape,
}

/// An admin port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    unit: Option<String>,
    url: String,
}

impl Admin {
    /// `http://host:port` or `unit=http://host:port`.
    pub(super) fn parse(text: &str) -> Result<Self, UsageError> {
        let (unit, url) = match text.split_once('=') {
            Some((unit, url)) => (Some(unit), url),
            None => (None, text),
        };
        if let Some(unit) = unit.filter(|unit| UnitKind::named(unit).is_none()) {
            return Err(UsageError::new(format!(
                "--admin {text}: '{unit}' is not one of {}",
                UnitKind::names()
            )));
        }
        let base = url.trim_end_matches('/').trim_end_matches("/metrics");
        if !base.starts_with("http://") || base.len() == "http://".len() {
            return Err(UsageError::new(format!("--admin {text}: write [UNIT=]http://HOST:PORT")));
        }
        Ok(Self { unit: unit.map(str::to_owned), url: format!("{base}/metrics") })
    }
}

impl Observation {
    /// Whether nothing at all was seen.
    pub(super) const fn is_blind(&self) -> bool {
        self.deployments.is_empty() && self.autoscalers.is_empty() && self.processes.is_empty()
    }
}

/// Inspects a namespace.
pub(super) async fn from_cluster(inspector: &Inspector, port: u16) -> Observation {
    let inspection = inspector.inspect().await;
    let mut seen =
        Observation { namespace: Some(inspector.namespace().to_owned()), ..Observation::default() };
    let mut or_trouble = |what: &str, error: ApiError| {
        seen.troubles.push(format!("{what} cannot be seen: {error}"));
    };
    let deployments = inspection.deployments.unwrap_or_else(|reason| {
        or_trouble("deployments", reason);
        Vec::new()
    });
    seen.autoscalers = inspection.autoscalers.unwrap_or_else(|reason| {
        or_trouble("autoscalers", reason);
        Vec::new()
    });
    let pods = inspection.pods.unwrap_or_else(|reason| {
        or_trouble("pods, and so their metrics,", reason);
        Vec::new()
    });
    let is_unit = |app: &str| UnitKind::named(app).is_some();
    seen.deployments =
        deployments.into_iter().filter(|deployment| is_unit(&deployment.app)).collect();
    if seen.deployments.is_empty() && seen.troubles.is_empty() {
        seen.troubles.push(format!(
            "namespace {} has no Deployment of a unit ({})",
            inspector.namespace(),
            UnitKind::names()
        ));
    }
    // all at once: where a network policy drops the questions, each waits to the end of its
    // patience
    let mut asked = tokio::task::JoinSet::new();
    for pod in pods.into_iter().filter(|pod| is_unit(&pod.app)) {
        let inspector = inspector.clone();
        asked.spawn(async move {
            let text = inspector.metrics(&pod.name, port, PATIENCE).await;
            (pod, text)
        });
    }
    let mut refused = Vec::new();
    for (pod, text) in asked.join_all().await {
        match text {
            Ok(text) => seen.processes.push(Process {
                name: pod.name,
                unit: pod.app,
                metrics: Scrape::read(&text),
            }),
            Err(error) => refused.push((pod.name, error.to_string())),
        }
    }
    seen.processes.sort_by(|a, b| a.name.cmp(&b.name));
    // what keeps one from answering keeps most: once is enough
    if let Some((pod, reason)) = refused.into_iter().min() {
        seen.troubles.push(format!("metrics cannot be seen, of pod {pod} for one: {reason}"));
    }
    seen
}

/// Asks admin ports.
pub(super) async fn from_admin(ports: &[Admin]) -> Observation {
    let mut asked = tokio::task::JoinSet::new();
    for admin in ports {
        let admin = admin.clone();
        asked.spawn_blocking(move || {
            let text = get(&admin.url);
            (admin, text)
        });
    }
    let mut seen = Observation::default();
    while let Some(joined) = asked.join_next().await {
        let (admin, text) = match joined {
            Ok(answer) => answer,
            Err(error) => {
                seen.troubles.push(format!("an admin port was not asked: {error}"));
                continue;
            }
        };
        match text.map(|text| (Scrape::read(&text), text)) {
            Ok((metrics, _)) if metrics.is_empty() => {
                seen.troubles.push(format!("{} has no metrics", admin.url));
            }
            Ok((metrics, text)) => {
                let unit = admin.unit.unwrap_or_else(|| unit_of(&metrics, &text));
                seen.processes.push(Process { name: admin.url, unit, metrics });
            }
            Err(reason) => seen.troubles.push(format!("{} cannot be read: {reason}", admin.url)),
        }
    }
    seen.processes.sort_by(|a, b| a.name.cmp(&b.name));
    seen
}

fn get(url: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    agent.get(url).call()?.body_mut().read_to_string()
}

/// Which unit has these metrics: it says so. Of one of a release that does not, by what it counts,
/// or what several units that count it are called together.
fn unit_of(metrics: &Scrape, text: &str) -> String {
    let said = metrics.values_of("mlvi_unit_info", &[], "unit");
    if let Some(unit) = said.into_iter().find_map(UnitKind::named) {
        return unit.name().to_owned();
    }
    let has = |name: &str| text.lines().any(|line| line.starts_with(&format!("# TYPE {name} ")));
    let mut units = UnitKind::ALL.into_iter().map(UnitKind::about);
    units.find(|unit| has(unit.finished)).map_or("unknown", |unit| unit.family).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_ports_are_read() {
        let admin = |text: &str| Admin::parse(text).map(|admin| (admin.unit, admin.url));
        let url = "http://localhost:9600/metrics".to_owned();
        assert_eq!(admin("http://localhost:9600"), Ok((None, url.clone())));
        assert_eq!(
            admin("edge-inference=http://localhost:9600/metrics"),
            Ok((Some("edge-inference".into()), url))
        );
        for (text, part) in [
            ("localhost:9600", "http://HOST:PORT"),
            ("edge=http://a:1", "'edge' is not one of"),
            ("http://", "HOST"),
        ] {
            let message = admin(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_unit_is_known_by_its_metrics_before_any_frame() {
        let unit_of = |text: &str| super::unit_of(&Scrape::read(text), text);
        let counter = "# TYPE mlvi_inference_frames counter\n";
        for unit in ["edge-inference", "cloud-inference"] {
            let said = format!("{counter}mlvi_unit_info{{unit=\"{unit}\",version=\"0.1.0\"}} 1\n");
            assert_eq!(unit_of(&said), unit);
        }
        assert_eq!(
            unit_of(
                "# HELP mlvi_preprocessor_frames x.\n# TYPE mlvi_preprocessor_frames counter\n# \
                 EOF\n"
            ),
            "preprocessor"
        );
        assert_eq!(unit_of(counter), "inference");
        assert_eq!(unit_of("# TYPE other counter\n"), "unknown");
    }
}
