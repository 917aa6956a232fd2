//! The line at the end of the terminal in which `mlvi up` tells how it goes.

use cli::Scrape;
use indicatif::{ProgressBar, ProgressStyle};
use std::convert::Infallible;
use std::io::{self, IsTerminal as _, Write};
use std::net::SocketAddr;
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Between two looks at the metrics.
const EVERY: Duration = Duration::from_secs(1);
/// A reason longer than this, in characters, says more than a line can hold.
const LONGEST_REASON: usize = 60;

/// The line; gone when dropped.
pub(crate) struct StatusLine(ProgressBar);

impl StatusLine {
    /// `None` where standard error or output is no terminal.
    pub(crate) fn of_this_terminal() -> Option<Self> {
        if !(io::stderr().is_terminal() && io::stdout().is_terminal()) {
            return None;
        }
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        let bar = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message("starting");
        bar.enable_steady_tick(Duration::from_millis(250));
        Some(Self(bar))
    }

    /// Writes above the line, to standard error.
    pub(crate) fn writer(&self) -> AboveLine {
        AboveLine(self.0.clone())
    }

    /// Does what prints, with the line out of the way.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// A unit is not ready yet: what `/readyz` says.
    pub(crate) fn waits_for(&self, unit: &str, reason: &str) {
        self.0.set_message(format!("starting: {unit}: {}", missing(reason)));
    }

    /// Tells how the suite does, by the metrics of web-server and preprocessor, until it is
    /// dropped.
    pub(crate) async fn follow(&self, [web_server, preprocessor]: [SocketAddr; 2]) -> Infallible {
        let mut before = None;
        loop {
            tokio::time::sleep(EVERY).await;
            let (first, second) = tokio::join!(scrape(web_server), scrape(preprocessor));
            let now = first.zip(second).map(|(first, second)| Counts::read(&first, &second));
            if let Some(now) = &now {
                let since = before.as_ref().unwrap_or(now);
                self.0.set_message(now.text(since, EVERY));
            }
            before = now;
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Makes writers whose text stands above the line.
pub(crate) struct AboveLine(ProgressBar);

/// One of them.
pub(crate) struct Writer(ProgressBar);

impl<'a> MakeWriter<'a> for AboveLine {
    type Writer = Writer;

    fn make_writer(&'a self) -> Writer {
        Writer(self.0.clone())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What is not ready, of the conditions that `/readyz` lists.
fn missing(reason: &str) -> String {
    let conditions = reason.split("; ").filter_map(|condition| condition.strip_prefix("not ready"));
    let text = conditions.map(str::trim).collect::<Vec<_>>().join("; ");
    let text = if text.is_empty() { reason } else { &text };
    let clean = text.chars().filter(|letter| !letter.is_control());
    let mut short: String = clean.take(LONGEST_REASON + 1).collect();
    if short.chars().count() > LONGEST_REASON {
        short.pop();
        short.push('…');
    }
    short
}

async fn scrape(admin: SocketAddr) -> Option<Scrape> {
    let ask = move || {
        let config = ureq::Agent::config_builder().timeout_global(Some(EVERY));
        let agent = ureq::Agent::new_with_config(config.build());
        let mut response = agent.get(format!("http://{admin}/metrics")).call().ok()?;
        Some(Scrape::read(&response.body_mut().read_to_string().ok()?))
    };
    tokio::task::spawn_blocking(ask).await.ok().flatten()
}

/// What the metrics say at a moment, since the start.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    /// Results that were read.
    results: f64,
    /// Of these together, from upload to result, in seconds.
    latency_s: f64,
    edge: f64,
    cloud: f64,
    /// Of frames, at this moment.
    waiting: f64,
    refused: f64,
}

impl Counts {
    fn read(web_server: &Scrape, preprocessor: &Scrape) -> Self {
        let of = |name: &str| web_server.sum(name, &[]).unwrap_or_default();
        let to = |tier| {
            let name = "mlvi_preprocessor_decisions_total";
            preprocessor.sum(name, &[("destination", tier)]).unwrap_or_default()
        };
        Self {
            results: of("mlvi_web_server_result_latency_seconds_count"),
            latency_s: of("mlvi_web_server_result_latency_seconds_sum"),
            edge: to("edge"),
            cloud: to("cloud"),
            waiting: of("mlvi_web_server_pending_frames"),
            refused: of("mlvi_web_server_frames_refused_total"),
        }
    }

    /// What has happened since `before`, which is `ago`; the share of the cloud is that of all.
    fn text(&self, before: &Self, ago: Duration) -> String {
        let results = (self.results - before.results).max(0.0);
        let mut parts = vec![format!("{:.0} frames/s", results / ago.as_secs_f64())];
        if results > 0.0 {
            let mean_ms = (self.latency_s - before.latency_s) * 1000.0 / results;
            parts.push(format!("{mean_ms:.0} ms on average"));
        }
        parts.push(format!("{:.0} under way", self.waiting));
        let decided = self.edge + self.cloud;
        if decided > 0.0 {
            parts.push(format!("{:.0} % to the cloud so far", 100.0 * self.cloud / decided));
        }
        if self.refused > 0.0 {
            parts.push(format!("{:.0} refused so far", self.refused));
        }
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_told() {
        let told = "ready      running; not ready  topics: starting; not ready  broker: asked";
        assert_eq!(missing(told), "topics: starting; broker: asked");
        assert_eq!(missing("connection\n refused"), "connection refused");
        assert_eq!(missing(&"x".repeat(100)).chars().count(), LONGEST_REASON + 1);
    }

    #[test]
    fn the_line_tells_what_happened_meanwhile() {
        let web_server = Scrape::read(
            "mlvi_web_server_result_latency_seconds_sum{status=\"done\"} 1.5\n\
             mlvi_web_server_result_latency_seconds_count{status=\"done\"} 30\n\
             mlvi_web_server_pending_frames 2\n",
        );
        let preprocessor = Scrape::read(
            "mlvi_preprocessor_decisions_total{destination=\"edge\",policy=\"ratio\"} 24\n\
             mlvi_preprocessor_decisions_total{destination=\"cloud\",policy=\"ratio\"} 8\n",
        );
        let now = Counts::read(&web_server, &preprocessor);
        let before = Counts { results: 10.0, latency_s: 0.5, ..Counts::default() };
        assert_eq!(
            now.text(&before, EVERY),
            "20 frames/s · 50 ms on average · 2 under way · 25 % to the cloud so far"
        );
        let nothing = Counts::default();
        assert_eq!(nothing.text(&nothing, EVERY), "0 frames/s · 0 under way");
    }
}
