//! The suite that a command asks over HTTP.

use clap::Args;
use std::fmt::Display;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::{Agent, RequestBuilder};

/// Options of every command that asks a suite.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// The suite's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5000")]
    server: String,
    /// The bearer token, where the suite asks for one; better in the environment, where other
    /// users do not see it
    #[arg(long, value_name = "TOKEN", env = "MLVI_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl ServerArgs {
    /// The address as it was given.
    pub(crate) fn address(&self) -> &str {
        &self.server
    }

    /// The address of what is at a path, which begins with a slash.
    pub(crate) fn url(&self, path: impl Display) -> String {
        format!("{}{path}", self.server.trim_end_matches('/'))
    }

    /// A client.
    ///
    /// # Errors
    /// None yet.
    pub(crate) fn agent(&self, config: ConfigBuilder<AgentScope>) -> anyhow::Result<Agent> {
        Ok(Agent::new_with_config(config.build()))
    }

    /// A request with the token, if there is one.
    pub(crate) fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Why a request got no answer, with the next step.
    pub(crate) fn away(&self, error: ureq::Error, url: &str) -> anyhow::Error {
        anyhow::Error::new(error)
            .context(format!("{url}: does a suite run there (`mlvi up`, --server URL)?"))
    }
}
