//! What a unit says of itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a unit may take to change: loading a model, or finding a broker again, on a busy
/// machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A unit's admin port.
#[derive(Clone, Copy, Debug)]
pub struct Admin(pub SocketAddr);

impl Admin {
    /// The status and the text of `/readyz`; `None` while nobody answers.
    pub async fn readyz(self) -> Option<(u16, String)> {
        self.get("/readyz").await
    }

    /// Waits until `/readyz` answers so, with this text in it, and gives all that it says.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn becomes(self, status: u16, part: &str) -> String {
        let started = Instant::now();
        loop {
            let answer = self.readyz().await;
            match answer {
                Some((now, text)) if now == status && text.contains(part) => return text,
                answer => {
                    assert!(
                        started.elapsed() < PATIENCE,
                        "{self:?} does not become {status} with '{part}': {answer:?}"
                    );
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Whether `/livez` says that it is alive.
    pub async fn is_alive(self) -> bool {
        self.get("/livez").await.is_some_and(|(status, _)| status == 200)
    }

    /// The sum of a metric over all its labels; 0 when nothing was counted yet.
    ///
    /// # Panics
    /// When the unit does not answer.
    pub async fn metric(self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await.expect("the unit's metrics");
        let is_sample =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let value =
            |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        text.lines().filter(is_sample).filter_map(value).sum()
    }

    /// Waits until a metric has reached a value.
    ///
    /// # Panics
    /// When it does not.
    pub async fn metric_reaches(self, name: &str, least: f64) {
        let started = Instant::now();
        while self.metric(name).await < least {
            assert!(started.elapsed() < PATIENCE, "{self:?}: {name} does not reach {least}");
            // a frame takes some ten milliseconds: asked often enough to see it
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The text of `/metrics`.
    ///
    /// # Panics
    /// When the unit does not answer.
    pub async fn metrics(self) -> String {
        self.get("/metrics").await.expect("the unit's metrics").1
    }

    /// Every sample of `/metrics` that is not 0, but for the buckets of histograms.
    pub(crate) async fn samples(self) -> Vec<String> {
        let Some((_, text)) = self.get("/metrics").await else { return Vec::new() };
        let is_told = |line: &&str| {
            !line.starts_with('#') && !line.contains("_bucket{") && !line.ends_with(" 0")
        };
        text.lines().filter(is_told).map(str::to_owned).collect()
    }

    async fn get(self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://{}{path}", self.0);
        let ask = move || {
            let config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(5)));
            let mut response = ureq::Agent::new_with_config(config.build()).get(url).call().ok()?;
            Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
        };
        tokio::task::spawn_blocking(ask).await.expect("asking does not panic")
    }
}
