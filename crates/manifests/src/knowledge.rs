//! What the programs know about themselves, as a plain table: the crates of the units fill it in,
//! and this one needs none of them.

use std::collections::BTreeMap;
use std::fmt;

/// Everything that the rules are told about the programs.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// The units, and the command line.
    pub programs: Vec<Program>,
    /// What the names of the topics end with, behind the prefix and a dot.
    pub topics: Vec<String>,
    /// The one of these that keeps the last record of each key.
    pub compacted_topic: &'static str,
    /// The largest message that a unit sends, in bytes.
    pub max_message_bytes: u64,
    /// The Secrets that are made beside the manifests, and what makes them.
    pub secrets: Vec<ExpectedSecret>,
    /// The folder of model descriptions inside the images.
    pub image_models_dir: &'static str,
}

/// A program that runs in a container.
pub struct Program {
    /// The name of its binary and of its image.
    pub name: &'static str,
    /// Whether it serves for ever, as opposed to a tool that ends.
    pub is_unit: bool,
    /// The variables that it reads.
    pub variables: Vec<KnownVariable>,
    /// What it consumes from the bus as the member of a group.
    pub input: Option<Input>,
    /// Reads settings as the program would at its start, and gives those that it refuses.
    pub refuse: Refuse,
}

/// Reads settings as a program would, and gives what it refuses.
pub type Refuse = Box<dyn Fn(&Given) -> Vec<RefusedSetting> + Send + Sync>;

/// A variable that a program reads.
#[derive(Clone, Debug)]
pub struct KnownVariable {
    /// Its name.
    pub name: String,
    /// Its default as text; empty when it has none.
    pub default: String,
}

/// What a unit consumes.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// The variable that names its group.
    pub group: &'static str,
    /// What its topic ends with.
    pub topic: &'static str,
}

/// What a container gives its program.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Its files of ConfigMaps and Secrets by their absolute path. What is in a Secret is not
    /// known, and there is some text in its place.
    pub files: BTreeMap<String, String>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A value that a program refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSetting {
    /// The variable.
    pub variable: String,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

/// A Secret that is made beside the manifests.
#[derive(Clone, Debug)]
pub struct ExpectedSecret {
    /// Its name.
    pub name: &'static str,
    /// Its keys.
    pub keys: Vec<&'static str>,
    /// The command that makes it.
    pub command: &'static str,
}

impl Program {
    /// What a variable is when nothing sets it; `None` when the program does not know it, or it has
    /// no default.
    #[must_use]
    pub fn default_of(&self, variable: &str) -> Option<&str> {
        let known = self.variables.iter().find(|known| known.name == variable)?;
        Some(known.default.as_str()).filter(|default| !default.is_empty())
    }

    /// Whether it reads a variable.
    #[must_use]
    pub fn knows(&self, variable: &str) -> bool {
        self.variables.iter().any(|known| known.name == variable)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("name", &self.name).finish_non_exhaustive()
    }
}
