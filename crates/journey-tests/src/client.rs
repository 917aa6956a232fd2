//! A client as a camera or a person would be one.

use crate::Watch;
use anyhow::Context;
use frame::{FrameId, FrameResult};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Speaks HTTP with a suite. Blocking: call it from a thread of its own
/// ([`tokio::task::spawn_blocking`]).
#[derive(Clone)]
pub struct Client {
    base: String,
    agent: ureq::Agent,
}

/// A status and a JSON body.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body as a result.
    ///
    /// # Errors
    /// When it is none.
    pub fn result(&self) -> anyhow::Result<FrameResult> {
        serde_json::from_value(self.body.clone()).with_context(|| format!("{self:?}"))
    }

    /// The id of an accepted frame.
    ///
    /// # Errors
    /// When it was not accepted.
    pub fn accepted(&self) -> anyhow::Result<FrameId> {
        anyhow::ensure!(self.status == 202, "not accepted: {self:?}");
        Ok(self.body["job_uuid"].as_str().context("no job_uuid")?.parse()?)
    }
}

impl Client {
    /// Of the web-server at this address.
    #[must_use]
    pub fn new(http: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)));
        Self { base: format!("http://{http}"), agent: ureq::Agent::new_with_config(config.build()) }
    }

    /// A raw upload.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn post(&self, path: &str, image: &[u8]) -> anyhow::Result<Answer> {
        self.send(path, "application/octet-stream", image)
    }

    /// A raw upload within a trace of the caller's.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn post_traced(
        &self,
        path: &str,
        image: &[u8],
        traceparent: &str,
    ) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.post(&url).header("traceparent", traceparent);
        let request = request.content_type("application/octet-stream");
        Self::read(request.send(image).with_context(|| url.clone())?)
    }

    /// An upload as the clients of the MLVideoInference scenario send it: multipart, field `image`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn post_multipart(&self, path: &str, image: &[u8]) -> anyhow::Result<Answer> {
        let mut body = b"--edge-of-part\r\n\
              Content-Disposition: form-data; name=\"image\"; filename=\"frame.jpg\"\r\n\
            Content-Type: image/jpeg\r\n\r\n"
            .to_vec();
        body.extend_from_slice(image);
        body.extend_from_slice(b"\r\n--edge-of-part--\r\n");
        self.send(path, "multipart/form-data; boundary=edge-of-part", &body)
    }

    /// Sets the policy, as the text of a policy file.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn put_policy(&self, policy: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/policy", self.base);
        let request = self.agent.put(&url).content_type("application/toml");
        Self::read(request.send(policy).with_context(|| url.clone())?)
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn delete_policy(&self) -> anyhow::Result<Answer> {
        let url = format!("{}/policy", self.base);
        Self::read(self.agent.delete(&url).call().with_context(|| url.clone())?)
    }

    /// Sets a camera's masks and zones (JSON), in a suite that allows it.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn put_regions(&self, camera: &str, regions: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/cameras/{camera}/regions", self.base);
        let request = self.agent.put(&url).content_type("application/json");
        Self::read(request.send(regions).with_context(|| url.clone())?)
    }

    fn read(mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
        let (status, text) = (response.status().as_u16(), response.body_mut().read_to_string()?);
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
    }

    fn send(&self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut response = self
            .agent
            .post(&url)
            .content_type(content_type)
            .send(body)
            .with_context(|| url.clone())?;
        let (status, text) = (response.status().as_u16(), response.body_mut().read_to_string()?);
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut response = self.agent.get(&url).call().with_context(|| url.clone())?;
        let (status, text) = (response.status().as_u16(), response.body_mut().read_to_string()?);
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
    }

    /// Reads a resource's bytes.
    ///
    /// # Errors
    /// When the server cannot be reached, or has no such thing.
    pub fn get_bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let url = format!("{}{path}", self.base);
        let mut response = self.agent.get(&url).call().with_context(|| url.clone())?;
        anyhow::ensure!(response.status().is_success(), "{url}: {}", response.status());
        Ok(response.body_mut().read_to_vec()?)
    }

    /// Uploads until the frame is accepted: a camera that keeps a frame while the suite is not able
    /// to take it.
    ///
    /// # Errors
    /// When it is not accepted within `patience`, or refused for good.
    pub fn post_until_accepted(
        &self,
        path: &str,
        image: &[u8],
        patience: Duration,
    ) -> anyhow::Result<FrameId> {
        let started = Instant::now();
        loop {
            let answer = self.post(path, image);
            match answer {
                Ok(answer) if answer.status == 202 => return answer.accepted(),
                Ok(answer) if !matches!(answer.status, 429 | 503) => {
                    anyhow::bail!("refused for good: {answer:?}")
                }
                answer if started.elapsed() > patience => {
                    anyhow::bail!("not accepted in time: {answer:?}")
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Asks for a job until it has ended.
    ///
    /// # Errors
    /// When it has not ended within `patience`, or is not known.
    pub fn ended(&self, id: FrameId, patience: Duration) -> anyhow::Result<FrameResult> {
        let started = Instant::now();
        loop {
            let answer = self.get(&format!("/jobs/{id}?wait=1s"));
            match answer {
                Ok(answer) if answer.status == 200 => return answer.result(),
                Ok(answer) if !matches!(answer.status, 202 | 503) => {
                    anyhow::bail!("job {id}: {answer:?}")
                }
                answer if started.elapsed() > patience => {
                    anyhow::bail!("job {id} has not ended: {answer:?}")
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Opens the stream of results.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn watch(&self) -> anyhow::Result<Watch> {
        Watch::open(&format!("{}/results", self.base))
    }
}
