//! Variables that are set and that nobody reads: most are misspelt.

use crate::CONFIG_FILE_VARIABLE;
use std::fmt;

/// What the names of MLVI's variables begin with.
pub(crate) const PREFIX: &str = "MLVI_";

/// Variables that no unit reads, but the command line, docker-compose.yml, tests and benchmarks do.
pub const READ_ELSEWHERE: [&str; 18] = [
    CONFIG_FILE_VARIABLE,
    "MLVI_BENCH_THREADS",
    "MLVI_CA_FILE",
    "MLVI_COLLECTOR",
    "MLVI_KAFKA",
    "MLVI_KAFKA_SCRIPT",
    "MLVI_KAFKA_SECRETS",
    // every image has it set
    "MLVI_MODELS_DIR",
    "MLVI_PORT",
    "MLVI_POSTGRES",
    "MLVI_PYTHON",
    "MLVI_REFERENCE_DIR",
    "MLVI_REQUIRE",
    "MLVI_SKIPPED_FILE",
    "MLVI_TEST_UNIT",
    "MLVI_TOKEN",
    "MLVI_WRITE",
    "MLVI_WRITE_KINDS",
];

/// A variable that is set and that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadVariable {
    /// Its name.
    pub name: String,
    /// The one that may be meant, if any is near enough.
    pub nearest: Option<String>,
}

impl UnreadVariable {
    pub(crate) fn new(name: &str, known: &[&str]) -> Self {
        let nearest = text::similar(name, &mut known.iter().copied());
        Self { name: name.to_owned(), nearest: nearest.map(str::to_owned) }
    }
}

impl fmt::Display for UnreadVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set, but is no variable that is read here", self.name)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; {nearest} is one"),
            None => Ok(()),
        }
    }
}
