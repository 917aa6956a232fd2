//! What can go wrong in an engine.

/// Why an engine does not run a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It does not run networks of this kind.
    #[error("the engine {engine} does not run {kind}")]
    Unsupported {
        /// The engine.
        engine: &'static str,
        /// What it was asked to run.
        kind: &'static str,
    },
    /// The network is damaged, or asks for what the engine does not have.
    #[error("{0}")]
    Network(String),
    /// A run failed.
    #[error("{0}")]
    Run(String),
    /// A run gave an output of another shape or type than the program said.
    #[error("output {index} is not what was expected: {found} where {wanted} is expected")]
    Output {
        /// Which output, from 0.
        index: usize,
        /// Its shape and type, as the engine writes them.
        found: String,
        /// What the program said.
        wanted: String,
    },
}
