//! The brokers among the objects: their listeners, and which of them an address leads to.

mod address;
mod properties;
mod strimzi;

pub(crate) use address::{NamedService, Way, addresses, follow, service_of};

use crate::object::Field;
use crate::world::{Workload, World};
use properties::Properties;

/// A Kafka broker.
#[derive(Debug)]
pub(crate) struct Broker<'a> {
    /// Its title for messages, e.g. `StatefulSet/edge-broker`.
    pub(crate) title: String,
    pub(crate) pods: Pods,
    pub(crate) listeners: Vec<Listener>,
    /// What its configuration says, and where.
    pub(crate) properties: Properties<'a>,
}

/// What runs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pods {
    /// The workload of this place in the world.
    Workload(usize),
    /// The operator of a `Kafka` object of this name.
    Strimzi(String),
}

/// A port at which a broker speaks to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) port: i64,
    /// As `MLVI_KAFKA_SECURITY` writes it; `None` when it is not known.
    pub(crate) security: Option<String>,
    /// The SASL mechanisms that it offers; empty when they are not known.
    pub(crate) mechanisms: Vec<String>,
}

impl<'a> Broker<'a> {
    /// Every broker among the objects.
    pub(crate) fn all(world: &World<'a>) -> Vec<Self> {
        let own = world
            .workloads
            .iter()
            .enumerate()
            .filter_map(|(place, workload)| Self::of_workload(world, place, workload));
        let operated = world
            .objects
            .iter()
            .filter(|object| object.kind == "Kafka" && object.group() == "kafka.strimzi.io");
        own.chain(operated.map(strimzi::broker)).collect()
    }

    /// A workload whose files or variables configure Kafka's listeners.
    fn of_workload(world: &World<'a>, place: usize, workload: &Workload<'a>) -> Option<Self> {
        // a Job may read the same files, and is no broker
        let serves = !matches!(workload.object.kind.as_str(), "Job" | "CronJob");
        let properties = serves.then(|| Properties::of(world, workload)).flatten()?;
        let listeners = properties.listeners();
        let title = workload.object.title();
        Some(Self { title, pods: Pods::Workload(place), listeners, properties })
    }

    /// Whether clients from outside come to it by this name: it advertises the name, or has it in
    /// its environment for that. What an operator's broker advertises is not known.
    pub(crate) fn is_known_as(&self, host: &str, world: &World<'_>) -> bool {
        let Pods::Workload(place) = self.pods else { return false };
        let names_it = |text: &str| {
            text.split(|c: char| !(c.is_alphanumeric() || ".-_".contains(c)))
                .any(|name| name == host)
        };
        let containers = &world.workloads[place].containers;
        let mut environment = containers.iter().flat_map(|container| container.environment.iter());
        self.properties.get("advertised.listeners").is_some_and(|(value, _)| names_it(value))
            || environment.any(|(_, variable)| variable.value.as_deref().is_some_and(names_it))
    }

    /// A number of bytes, and where it is set.
    pub(crate) fn bytes(&self, property: &str) -> Option<(u64, &Field<'a>)> {
        let (text, field) = self.properties.get(property)?;
        text.trim().parse().ok().map(|bytes| (bytes, field))
    }
}
