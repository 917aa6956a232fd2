//! A broker that Strimzi runs: a `Kafka` object.

use super::{Broker, Listener, Pods, Properties};
use crate::object::{Field, Object};

pub(super) fn broker(object: &Object) -> Broker<'_> {
    let kafka = object.at("spec.kafka");
    let properties = kafka.get("config").entries().into_iter().filter_map(|(name, field)| {
        let value = field.scalar()?;
        Some((name.to_owned(), (value, field)))
    });
    Broker {
        title: object.title(),
        pods: Pods::Strimzi(object.name.clone()),
        listeners: kafka.get("listeners").items().iter().filter_map(listener).collect(),
        properties: Properties(properties.collect()),
    }
}

fn listener(field: &Field<'_>) -> Option<Listener> {
    let tls = field.get("tls").flag() == Some(true);
    let (login, mechanisms) = match field.at("authentication.type").text() {
        Some("scram-sha-512") => (true, vec!["SCRAM-SHA-512".to_owned()]),
        Some("tls") | None => (false, Vec::new()),
        Some(_) => (true, Vec::new()),
    };
    let security = match (login, tls) {
        (false, false) => "plaintext",
        (false, true) => "ssl",
        (true, false) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    let name = field.get("name").text()?.to_owned();
    Some(Listener {
        name,
        port: field.get("port").integer()?,
        security: Some(security.into()),
        mechanisms,
    })
}
