//! A container, what runs in it, and with which settings.

use crate::ManifestError;
use crate::environment::Environment;
use crate::files::Files;
use crate::knowledge::Program;
use crate::object::Field;
use crate::quantity::cores;
use std::collections::BTreeMap;

/// A container of a pod.
#[derive(Debug)]
pub struct Container<'a> {
    pub(crate) field: Field<'a>,
    pub(crate) name: &'a str,
    pub(crate) is_init: bool,
    /// Which of our programs runs in it.
    pub(crate) program: Option<&'a Program>,
    pub(crate) environment: Environment<'a>,
    pub(crate) files: Files<'a>,
}

/// A value that a program works with.
#[derive(Clone, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) value: String,
    /// Where it is set; for a default, the container.
    pub(crate) field: Field<'a>,
}

impl<'a> Container<'a> {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// What it requests, in cores.
    ///
    /// # Errors
    /// When that is no quantity above 0.
    pub fn cpu_request(&self) -> Result<Option<f64>, ManifestError> {
        cpu(&self.field.at("resources.requests.cpu"))
    }

    /// What it may use at most, in cores.
    ///
    /// # Errors
    /// When that is no quantity above 0.
    pub fn cpu_limit(&self) -> Result<Option<f64>, ManifestError> {
        cpu(&self.field.at("resources.limits.cpu"))
    }

    /// The value of a variable that its program gets; `None` when it is not set, or nobody can say
    /// to what.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name)?.value.as_deref()
    }

    /// Every variable whose value can be told.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let known = self.environment.iter();
        known
            .filter_map(|(name, variable)| Some((name.to_owned(), variable.value.clone()?)))
            .collect()
    }

    /// A setting of the program: as the container sets it, or its default. `None` when it is not
    /// set and has no default, or comes from where nobody can see it.
    pub(crate) fn setting(&self, name: &str) -> Option<Setting<'a>> {
        match self.environment.get(name) {
            Some(variable) => {
                variable.value.clone().map(|value| Setting { value, field: variable.field.clone() })
            }
            None => self.default(name),
        }
    }

    fn default(&self, name: &str) -> Option<Setting<'a>> {
        let default = self.program?.default_of(name)?.to_owned();
        Some(Setting { value: default, field: self.field.get("env") })
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let list =
            |key: &str| self.field.get(key).items().into_iter().filter_map(|item| item.scalar());
        list("command").skip(1).chain(list("args")).collect()
    }

    /// Whether the first arguments that are no options are these.
    pub(crate) fn runs(&self, words: &[&str]) -> bool {
        let arguments = self.arguments();
        arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
            .take(words.len())
            .eq(words.iter())
    }

    /// The ports that it declares, by name and number.
    pub(crate) fn ports(&self) -> Vec<(Option<&'a str>, i64)> {
        let ports = self.field.get("ports").items();
        ports
            .iter()
            .filter_map(|port| {
                Some((port.get("name").text(), port.get("containerPort").integer()?))
            })
            .collect()
    }

    /// The port that a variable with an `ADDRESS:PORT` makes the program listen on.
    pub(crate) fn listens(&self, variable: &str) -> Option<(i64, Setting<'a>)> {
        let setting = self.setting(variable)?;
        let port = setting.value.rsplit(':').next()?.parse().ok()?;
        Some((port, setting))
    }
}

/// Cores; YAML reads `cpu: 2` as a number.
fn cpu(field: &Field<'_>) -> Result<Option<f64>, ManifestError> {
    let Some(written) = field.scalar() else { return Ok(None) };
    let wrong = || {
        let problem = format!("is '{written}', it must be cores such as 500m or 2");
        ManifestError::at(field, problem)
    };
    cores(&written).map(Some).ok_or_else(wrong)
}
