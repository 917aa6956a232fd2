//! The configuration of a broker, from a properties file in a ConfigMap or from `KAFKA_*`
//! variables.

use super::Listener;
use crate::object::Field;
use crate::world::{Workload, World};
use std::collections::BTreeMap;

/// Values by name, and where each stands.
#[derive(Debug, Default)]
pub(crate) struct Properties<'a>(pub(super) BTreeMap<String, (String, Field<'a>)>);

impl<'a> Properties<'a> {
    /// `None` when nothing in the workload configures listeners of Kafka.
    pub(super) fn of(world: &World<'a>, workload: &Workload<'a>) -> Option<Self> {
        let mut properties = Self::default();
        for field in workload.template.each("spec.volumes[].configMap.name") {
            properties.take_config(world, &field);
        }
        for field in workload.template.each("spec.volumes[].projected.sources[].configMap.name") {
            properties.take_config(world, &field);
        }
        for container in &workload.containers {
            for (name, variable) in container.environment.iter() {
                // as the official image has it: KAFKA_MESSAGE_MAX_BYTES is message.max.bytes
                if let (Some(name), Some(value)) = (name.strip_prefix("KAFKA_"), &variable.value) {
                    let name = name.to_lowercase().replace('_', ".");
                    properties.0.insert(name, (value.clone(), variable.field.clone()));
                }
            }
        }
        properties.get("listeners").is_some().then_some(properties)
    }

    pub(crate) fn get(&self, name: &str) -> Option<(&str, &Field<'a>)> {
        self.0.get(name).map(|(value, field)| (value.as_str(), field))
    }

    fn take_config(&mut self, world: &World<'a>, name: &Field<'a>) {
        let config =
            name.text().and_then(|text| world.find("ConfigMap", text, &name.object.namespace));
        for (_, field) in config.into_iter().flat_map(|config| config.at("data").entries()) {
            let text = field.text().unwrap_or_default();
            // a script that mentions a listener is no configuration
            if !text.lines().any(|line| line.trim_start().starts_with("listeners=")) {
                continue;
            }
            for (name, value) in parse(text) {
                self.0.insert(name, (value, field.clone()));
            }
        }
    }

    /// What clients can speak to; the controllers' own listener is not among them.
    pub(super) fn listeners(&self) -> Vec<Listener> {
        let value = |name: &str| self.get(name).map_or("", |(value, _)| value);
        let controllers: Vec<&str> =
            value("controller.listener.names").split(',').map(str::trim).collect();
        let protocols: BTreeMap<&str, &str> = value("listener.security.protocol.map")
            .split(',')
            .filter_map(|pair| pair.split_once(':'))
            .map(|(name, protocol)| (name.trim(), protocol.trim()))
            .collect();
        let listener = |text: &str| {
            let (name, address) = text.trim().split_once("://")?;
            let port = address.rsplit(':').next()?.parse().ok()?;
            // a listener may be named as its protocol
            let own =
                ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(&name).then_some(name);
            let security = protocols.get(name).copied().or(own).map(str::to_lowercase);
            let of_listener =
                format!("listener.name.{}.sasl.enabled.mechanisms", name.to_lowercase());
            let mechanisms = self
                .get(&of_listener)
                .or(self.get("sasl.enabled.mechanisms"))
                .map_or("", |(value, _)| value);
            let mechanisms = mechanisms
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .collect();
            (!controllers.contains(&name)).then(|| Listener {
                name: name.to_owned(),
                port,
                security,
                mechanisms,
            })
        };
        value("listeners").split(',').filter_map(listener).collect()
    }
}

/// Lines `name=value`, as `java.util.Properties` reads them; a line may go on after a backslash.
fn parse(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", "");
    let lines = joined.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}
