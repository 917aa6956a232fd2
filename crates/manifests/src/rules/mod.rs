//! The rules. Each is a pure function from the objects to what is wrong with them.

mod brokers;
mod budgets;
mod collectors;
mod duplicates;
mod endpoints;
mod enums;
mod grafana;
mod groups;
mod https;
mod images;
mod keda;
mod models;
mod mounts;
mod network;
mod partitions;
mod ports;
mod probes;
mod quantities;
mod quorum;
mod references;
mod regions;
mod required;
mod rights;
mod scaling;
mod schema;
mod security;
mod selectors;
mod shutdown;
mod sizes;
mod tls;
mod topics;
mod variables;

use crate::finding::Finding;
use crate::world::World;

/// One kind of mistake that is searched.
#[derive(Debug)]
pub struct Rule {
    /// Its name in findings.
    pub id: &'static str,
    /// What it finds, in one sentence.
    pub about: &'static str,
    pub(crate) check: fn(&World<'_>) -> Vec<Finding>,
}

/// Every rule. Beside these, reading itself finds `yaml`, `duplicate-key`, `not-an-object` and
/// `kustomize`.
pub const RULES: &[Rule] = &[
    Rule {
        id: schema::API_VERSION,
        about: "an API version that is gone or outdated, or a kind that is not known",
        check: schema::api_versions,
    },
    Rule {
        id: schema::FIELD,
        about: "a field that its kind does not have",
        check: schema::unknown_fields,
    },
    Rule { id: schema::TYPE, about: "a value of a wrong type", check: schema::wrong_types },
    Rule { id: required::ID, about: "a field that must be there", check: required::check },
    Rule {
        id: quantities::ID,
        about: "a quantity that Kubernetes cannot read, or a request above its limit",
        check: quantities::check,
    },
    Rule {
        id: enums::ID,
        about: "a value that is none of those that a field may have",
        check: enums::check,
    },
    Rule { id: duplicates::ID, about: "an object that stands twice", check: duplicates::twice },
    Rule {
        id: duplicates::NAMESPACE,
        about: "objects that would land in different namespaces",
        check: duplicates::namespaces,
    },
    Rule {
        id: references::ID,
        about: "an object that is named and is not there",
        check: references::objects,
    },
    Rule {
        id: references::KEY,
        about: "a key that a ConfigMap or a Secret does not have",
        check: references::keys,
    },
    Rule {
        id: mounts::ID,
        about: "a mount without its volume, or a volume without a mount",
        check: mounts::check,
    },
    Rule { id: selectors::ID, about: "a selector that fits no pods", check: selectors::check },
    Rule {
        id: ports::ID,
        about: "a Service's port that leads to no container's, or a container's on which nothing \
            listens",
        check: ports::check,
    },
    Rule {
        id: https::ID,
        about: "a Service that says HTTP of a port where HTTPS is spoken, or the other way round",
        check: https::check,
    },
    Rule {
        id: probes::ID,
        about: "a probe that asks where nobody answers, or that is missing",
        check: probes::check,
    },
    Rule {
        id: scaling::TARGET,
        about: "an autoscaler whose target is not there, or is another's too",
        check: scaling::targets,
    },
    Rule {
        id: scaling::RANGE,
        about: "an autoscaler whose minimum is above its maximum",
        check: scaling::ranges,
    },
    Rule {
        id: scaling::REPLICAS,
        about: "replicas set beside an autoscaler",
        check: scaling::replicas,
    },
    Rule {
        id: scaling::METRIC,
        about: "a metric of a container that is not there, or without the request that it is \
            measured against",
        check: scaling::metrics,
    },
    Rule {
        id: partitions::ID,
        about: "more replicas than a topic has partitions",
        check: partitions::check,
    },
    Rule {
        id: keda::ID,
        about: "a trigger of KEDA that does not fit the unit that it scales",
        check: keda::check,
    },
    Rule { id: topics::ID, about: "topic names that differ", check: topics::check },
    Rule {
        id: groups::ID,
        about: "consumer groups that differ where they must agree, or agree where they must differ",
        check: groups::check,
    },
    Rule {
        id: regions::ID,
        about: "masks and zones of cameras that one unit knows and another one does not",
        check: regions::check,
    },
    Rule {
        id: brokers::ADDRESS,
        about: "a broker's address that leads nowhere, or brokers that differ between units",
        check: brokers::addresses_of_units,
    },
    Rule {
        id: brokers::SECURITY,
        about: "a security protocol or mechanism that the listener does not speak",
        check: brokers::security,
    },
    Rule {
        id: quorum::ID,
        about: "a broker that the other brokers do not find, or find at an address that it has no \
            more",
        check: quorum::check,
    },
    Rule {
        id: tls::ID,
        about: "a broker whose oldest version of TLS is not said, or is too old",
        check: tls::check,
    },
    Rule {
        id: sizes::ID,
        about: "limits of message sizes below what the units send",
        check: sizes::check,
    },
    Rule {
        id: variables::UNKNOWN,
        about: "a variable that the program does not read",
        check: variables::unknown,
    },
    Rule {
        id: variables::SETTING,
        about: "a value that the unit would refuse",
        check: variables::refused,
    },
    Rule {
        id: models::ID,
        about: "a model that nothing fetches, or a folder of models that nothing fills",
        check: models::check,
    },
    Rule {
        id: shutdown::ID,
        about: "less time to stop than the unit needs to drain",
        check: shutdown::check,
    },
    Rule {
        id: budgets::ID,
        about: "a disruption budget that blocks evictions",
        check: budgets::check,
    },
    Rule {
        id: security::ID,
        about: "what the Pod Security standard of the namespace does not allow: restricted, where it \
            does not say",
        check: security::check,
    },
    Rule {
        id: rights::ID,
        about: "rights of the preprocessor that are too small for what it watches, or too wide",
        check: rights::rights,
    },
    Rule {
        id: rights::DEPLOYMENT,
        about: "a deployment that is watched and is not there",
        check: rights::deployments,
    },
    Rule {
        id: images::ID,
        about: "an image without a version, or versions that differ",
        check: images::check,
    },
    Rule {
        id: collectors::ID,
        about: "an OpenTelemetry Collector that would not start as it is configured, or has nothing \
            to do",
        check: collectors::check,
    },
    Rule {
        id: grafana::ID,
        about: "a data source that a dashboard, or another data source, names and that is not there",
        check: grafana::check,
    },
    Rule {
        id: endpoints::ID,
        about: "an address for logs, metrics or traces that leads to no Service",
        check: endpoints::check,
    },
    Rule {
        id: network::ID,
        about: "a hop that the NetworkPolicies do not allow",
        check: network::check,
    },
];
