//! The environment that a container's program gets.

use crate::object::Field;
use crate::world::World;
use std::collections::BTreeMap;

/// Variables by name.
#[derive(Debug, Default)]
pub(crate) struct Environment<'a> {
    variables: BTreeMap<String, Variable<'a>>,
}

/// A variable of a container.
#[derive(Clone, Debug)]
pub(crate) struct Variable<'a> {
    /// `None` when it is set and nobody can say to what: from a Secret, or by the cluster.
    pub(crate) value: Option<String>,
    /// Where its value stands: in the container, or in a ConfigMap.
    pub(crate) field: Field<'a>,
}

impl<'a> Environment<'a> {
    /// First what comes from whole ConfigMaps and Secrets, later ones over earlier ones, then the
    /// variables by themselves.
    pub(crate) fn of(world: &World<'a>, container: &Field<'a>) -> Self {
        let mut environment = Self::default();
        for from in container.get("envFrom").items() {
            environment.take_all(world, &from);
        }
        for entry in container.get("env").items() {
            let Some(name) = entry.get("name").text() else { continue };
            if let Some(variable) = environment.variable(world, &entry) {
                environment.variables.insert(name.to_owned(), variable);
            }
        }
        environment
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Variable<'a>> {
        // an empty value counts as unset, as the units have it
        self.variables.get(name).filter(|variable| variable.value.as_deref() != Some(""))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Variable<'a>)> {
        self.variables.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    fn take_all(&mut self, world: &World<'a>, from: &Field<'a>) {
        let prefix = from.get("prefix").text().unwrap_or_default();
        let namespace = &from.object.namespace;
        if let Some(name) = from.at("configMapRef.name").text() {
            let Some(config) = world.find("ConfigMap", name, namespace) else { return };
            for (key, field) in config.at("data").entries() {
                let value = field.scalar();
                self.variables.insert(format!("{prefix}{key}"), Variable { value, field });
            }
        }
        if let Some(name) = from.at("secretRef.name").text() {
            let expected = world.knowledge.secrets.iter().find(|secret| secret.name == name);
            let keys = expected
                .into_iter()
                .flat_map(|secret| secret.keys.iter().map(|key| (*key).to_owned()));
            let known = world.find("Secret", name, namespace).into_iter();
            let known = known
                .flat_map(|secret| ["data", "stringData"].map(|part| secret.at(part).entries()))
                .flatten();
            for key in keys.chain(known.map(|(key, _)| key.to_owned())) {
                self.variables.insert(
                    format!("{prefix}{key}"),
                    Variable { value: None, field: from.clone() },
                );
            }
        }
    }

    /// `None` when the variable is not set at all, e.g. by a key that a ConfigMap does not have.
    fn variable(&self, world: &World<'a>, entry: &Field<'a>) -> Option<Variable<'a>> {
        let from = entry.get("valueFrom");
        if !from.exists() {
            let value = entry.get("value").scalar().unwrap_or_default();
            return Some(Variable { value: self.expand(&value), field: entry.get("value") });
        }
        let config = from.get("configMapKeyRef");
        if let (Some(name), Some(key)) = (config.get("name").text(), config.get("key").text()) {
            let field = world.find("ConfigMap", name, &entry.object.namespace)?.at("data").get(key);
            return field.exists().then(|| Variable { value: field.scalar(), field });
        }
        Some(Variable { value: None, field: from })
    }

    /// `$(NAME)` is replaced by what is set before; `None` when that is not known.
    fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("$(") {
            let Some((name, after)) = from.split_once(')') else { break };
            expanded += before;
            match self.variables.get(name) {
                Some(variable) => expanded += variable.value.as_deref()?,
                None => expanded += &format!("$({name})"),
            }
            rest = after;
        }
        Some(expanded + rest)
    }
}
