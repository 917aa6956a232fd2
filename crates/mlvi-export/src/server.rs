//! Results out of a running suite's `GET /history`, a page at a time.

use crate::args::FilterArgs;
use anyhow::Context;
use cli::ServerArgs;
use frame::{FrameResult, Problem};
use std::time::{Duration, SystemTime};
use ureq::http::Response;
use ureq::{Agent, Body};

/// How many frames are read at a time: as many as the suite gives.
const PAGE: u32 = 1_000;
/// The suite answers within seconds, or says why not.
const PATIENCE: Duration = Duration::from_secs(60);
/// A page is no longer than that; the longest results have some hundred kilobytes.
const MAX_PAGE_BYTES: u64 = 512 << 20;
/// How often a suite that is busy, or whose database is away, is asked again.
const TRIES: u32 = 5;
/// The longest pause before that.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A suite's history, from its newest frame on.
pub(crate) struct FromServer {
    server: ServerArgs,
    agent: Agent,
    query: Vec<(&'static str, String)>,
    cursor: Option<String>,
    /// How many frames are asked for at a time now.
    limit: u32,
    is_at_end: bool,
}

impl FromServer {
    pub(crate) fn new(server: &ServerArgs, filter: &FilterArgs) -> anyhow::Result<Self> {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let agent = server.agent(config)?;
        let query = query(filter);
        Ok(Self {
            server: server.clone(),
            agent,
            query,
            cursor: None,
            limit: PAGE,
            is_at_end: false,
        })
    }

    /// The next page; empty at the end.
    pub(crate) fn page(&mut self) -> anyhow::Result<Vec<FrameResult>> {
        if self.is_at_end {
            return Ok(Vec::new());
        }
        let mut response = self.ask()?;
        let next = response.headers().get("mlvi-next").and_then(|next| next.to_str().ok());
        self.cursor = next.map(str::to_owned);
        self.is_at_end = self.cursor.is_none();
        let text = response.body_mut().with_config().limit(MAX_PAGE_BYTES).read_to_string()?;
        let read = |line| serde_json::from_str(line).context("a line of GET /history");
        text.lines().map(read).collect()
    }

    fn ask(&mut self) -> anyhow::Result<Response<Body>> {
        let url = self.server.url("/history");
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = self.server.with_token(self.agent.get(&url));
            for (name, value) in &self.query {
                request = request.query(name, value);
            }
            request = request.query("limit", self.limit.to_string());
            if let Some(cursor) = &self.cursor {
                request = request.query("cursor", cursor);
            }
            let request = request.header("accept", "application/x-ndjson");
            let mut response = request.call().map_err(|error| self.server.away(error, &url))?;
            let status = response.status().as_u16();
            if status == 200 {
                return Ok(response);
            }
            let pause = response.headers().get("retry-after").and_then(|pause| pause.to_str().ok());
            let pause = pause.and_then(|pause| pause.parse().ok()).map(Duration::from_secs);
            if let Some(pause) = pause.filter(|_| tries < TRIES) {
                std::thread::sleep(pause.min(LONGEST_PAUSE));
                continue;
            }
            let text = response.body_mut().read_to_string().unwrap_or_default();
            let problem = serde_json::from_str::<Problem>(&text).ok();
            // fewer of what is rare are found sooner
            let is_slow = problem.as_ref().is_some_and(|told| told.kind.ends_with("/history-slow"));
            if is_slow && self.limit > 1 {
                (self.limit, tries) = (self.limit / 10, 0);
                continue;
            }
            let detail = problem.map_or(text, |told| told.detail);
            anyhow::bail!("{url}: the suite answered {status}: {detail}");
        }
    }
}

fn query(filter: &FilterArgs) -> Vec<(&'static str, String)> {
    let FilterArgs { camera, class, zone, min_confidence, destination, from, to } = filter;
    let time = |ms: &u64| {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(*ms);
        humantime::format_rfc3339_millis(at).to_string()
    };
    let parts = [
        ("camera", camera.as_ref().map(ToString::to_string)),
        ("class", class.clone()),
        ("zone", zone.clone()),
        ("min_confidence", min_confidence.map(|share| share.to_string())),
        ("destination", destination.map(|tier| tier.to_string())),
        ("from", from.as_ref().map(time)),
        ("to", to.as_ref().map(time)),
    ];
    parts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
