//! NetworkPolicies: the hops that the settings ask for must be allowed.

use crate::broker::{Broker, Pods, Way, addresses, follow};
use crate::finding::Finding;
use crate::labels::{self, Selector};
use crate::object::{Field, Object};
use crate::world::{Workload, World, together};

pub(super) const ID: &str = "network-policy";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = world.of_kind("NetworkPolicy").flat_map(of_policy).collect();
    let policies = Policies::of(world);
    let brokers = Broker::all(world);
    for (workload, container, _) in world.on_the_bus() {
        let Some(setting) = container.setting("MLVI_BROKERS") else { continue };
        for (host, port) in addresses(&setting.value) {
            let Way::Listener { broker, listener } =
                follow(world, &brokers, host, port, &workload.object.namespace)
            else {
                continue;
            };
            let Pods::Workload(place) = broker.pods else { continue };
            let target = &world.workloads[place];
            findings.extend(policies.hop(workload, target, listener.port));
        }
        findings.extend(policies.name_service(workload));
    }
    findings.extend(policies.probes_of_door(world));
    findings
}

/// A direction with rules that its types leave out is not in force.
fn of_policy(policy: &Object) -> Vec<Finding> {
    let types = policy.at("spec.policyTypes");
    if !types.exists() {
        return Vec::new();
    }
    let has = |name: &str| types.items().iter().any(|item| item.text() == Some(name));
    let idle = [("Ingress", "spec.ingress"), ("Egress", "spec.egress")];
    let finding = |(name, path): (&str, &str)| {
        let field = policy.at(path);
        (field.exists() && !has(name)).then(|| {
            field.error(ID, format!("policyTypes does not say {name}: these rules do nothing"))
        })
    };
    idle.into_iter().filter_map(finding).collect()
}

/// Every policy with what it selects, read once.
pub(super) struct Policies<'a>(Vec<Policy<'a>>);

struct Policy<'a> {
    object: &'a Object,
    pods: Selector<'a>,
    /// Whether it is one of [`INGRESS`], and of [`EGRESS`].
    directions: [bool; 2],
}

const INGRESS: usize = 0;
const EGRESS: usize = 1;

impl<'a> Policies<'a> {
    pub(super) fn of(world: &World<'a>) -> Self {
        let policy = |object: &'a Object| {
            let types = object.at("spec.policyTypes");
            let has = |name: &str| types.items().iter().any(|item| item.text() == Some(name));
            // without types a policy is one of Ingress, and of Egress if it has rules for that
            let directions = match types.exists() {
                true => [has("Ingress"), has("Egress")],
                false => [true, object.at("spec.egress").exists()],
            };
            Policy { object, pods: Selector::of(&object.at("spec.podSelector")), directions }
        };
        Self(world.of_kind("NetworkPolicy").map(policy).collect())
    }

    /// The policies that are in force for a workload's pods in one direction.
    fn in_force(&self, workload: &Workload<'_>, direction: usize) -> Vec<&'a Object> {
        let fits = |policy: &&Policy<'a>| {
            policy.directions[direction]
                && together(&policy.object.namespace, &workload.object.namespace)
                && policy.pods.fits(&workload.labels)
        };
        self.0.iter().filter(fits).map(|policy| policy.object).collect()
    }

    /// From one pod to another, both sides must agree.
    pub(super) fn hop(&self, from: &Workload<'_>, to: &Workload<'_>, port: i64) -> Vec<Finding> {
        let mut findings = Vec::new();
        let out = self.in_force(from, EGRESS);
        if !out.is_empty()
            && !out
                .iter()
                .any(|policy| allows(policy, "egress", "to", to, Some((to, port)), "TCP", port))
        {
            findings.push(refusal(
                out[0],
                "spec.egress",
                format!(
                    "{} may not go to {} on port {port}",
                    from.object.title(),
                    to.object.title()
                ),
            ));
        }
        let into = self.in_force(to, INGRESS);
        if !into.is_empty()
            && !into.iter().any(|policy| {
                allows(policy, "ingress", "from", from, Some((to, port)), "TCP", port)
            })
        {
            findings.push(refusal(
                into[0],
                "spec.ingress",
                format!(
                    "{} may not be reached by {} on port {port}",
                    to.object.title(),
                    from.object.title()
                ),
            ));
        }
        findings
    }

    /// Without names no Service is found.
    fn name_service(&self, workload: &Workload<'_>) -> Option<Finding> {
        let out = self.in_force(workload, EGRESS);
        let open = |policy: &&&Object| {
            policy.at("spec.egress").items().iter().any(|rule| {
                // wherever the name service stands: what counts is its port
                on_port(rule, None, "UDP", 53)
            })
        };
        (!out.is_empty() && !out.iter().any(|policy| open(&policy))).then(|| {
            refusal(
                out[0],
                "spec.egress",
                format!("{} may not ask the name service (UDP port 53)", workload.object.title()),
            )
        })
    }

    /// The web-server is reached through its Service by anyone who may.
    fn probes_of_door(&self, world: &World<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (workload, container, _) in world.units() {
            let Some((port, _)) = container.listens("MLVI_HTTP_LISTEN") else { continue };
            let into = self.in_force(workload, INGRESS);
            let open = into.iter().any(|policy| {
                policy
                    .at("spec.ingress")
                    .items()
                    .iter()
                    .any(|rule| on_port(rule, Some(workload), "TCP", port))
            });
            if !into.is_empty() && !open {
                findings.push(refusal(
                    into[0],
                    "spec.ingress",
                    format!(
                        "{} may not be reached on its port {port} by anyone",
                        workload.object.title()
                    ),
                ));
            }
        }
        findings
    }
}

fn refusal(policy: &Object, path: &str, message: String) -> Finding {
    policy.at(path).error(ID, message).help(
        "no NetworkPolicy that is in force for these pods allows this hop, and the settings \
            need it",
    )
}

/// Whether a policy lets `peer` through on a port of `target`.
fn allows(
    policy: &Object,
    direction: &str,
    peers: &str,
    peer: &Workload<'_>,
    target: Option<(&Workload<'_>, i64)>,
    protocol: &str,
    port: i64,
) -> bool {
    policy.at("spec").get(direction).items().iter().any(|rule| {
        let listed = rule.get(peers);
        let fits =
            listed.items().is_empty() || listed.items().iter().any(|entry| is_peer(entry, peer));
        fits && on_port(rule, target.map(|(target, _)| target), protocol, port)
    })
}

fn is_peer(entry: &Field<'_>, peer: &Workload<'_>) -> bool {
    let (pods, namespaces) = (entry.get("podSelector"), entry.get("namespaceSelector"));
    // addresses are not known, and labels of namespaces neither: what may be is taken as allowed
    if entry.get("ipBlock").exists() || (namespaces.value.is_some() && pods.value.is_none()) {
        return true;
    }
    labels::fit(&pods, &peer.labels)
}

fn on_port(rule: &Field<'_>, target: Option<&Workload<'_>>, protocol: &str, port: i64) -> bool {
    let ports = rule.get("ports").items();
    ports.is_empty()
        || ports.iter().any(|entry| {
            let number = entry.get("port");
            let last = entry.get("endPort").integer();
            let named = |name: &str| {
                let all = target.into_iter().flat_map(|target| {
                    target.containers.iter().flat_map(|container| container.ports())
                });
                all.into_iter().any(|(own, number)| own == Some(name) && number == port)
            };
            let fits = match (number.text(), number.integer()) {
                (Some(name), _) => named(name),
                (None, Some(first)) => (first..=last.unwrap_or(first)).contains(&port),
                (None, None) => true,
            };
            fits && entry.get("protocol").text().unwrap_or("TCP") == protocol
        })
}

#[cfg(test)]
mod tests {
    use crate::testing::{broker, deployment, found};

    fn set(policies: &str) -> String {
        let unit = deployment(
            "a",
            "image: worker:1, env: [{name: MLVI_BROKERS, value: 'kafka:9092'}]",
            "",
        );
        format!("{}{unit}{policies}", broker())
    }

    fn policy(name: &str, spec: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: \
             {name}}}\nspec: {spec}\n"
        )
    }

    #[test]
    fn each_hop_needs_both_sides() {
        let deny = policy("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}");
        let out = policy(
            "out",
            "{podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: \
             [{podSelector: {matchLabels: {app: kafka}}}], ports: [{port: 9092}]}]}",
        );
        let names = policy(
            "names",
            "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: \
             UDP}]}]}",
        );
        let into = policy(
            "into",
            "{podSelector: {matchLabels: {app: kafka}}, policyTypes: [Ingress], ingress: [{from: \
             [{podSelector: {matchLabels: {app: a}}}], ports: [{port: site}]}]}",
        );
        let faults = |policies: &[&String]| {
            found(
                &set(&policies.iter().map(|text| text.as_str()).collect::<String>()),
                "network-policy",
            )
        };
        assert_eq!(faults(&[]), Vec::<String>::new());
        assert_eq!(faults(&[&deny]).len(), 3);
        assert_eq!(faults(&[&deny, &out, &names, &into]), Vec::<String>::new());
        assert!(faults(&[&deny, &out, &names])[0].contains("may not be reached by Deployment/a"));
        assert!(faults(&[&deny, &out, &into])[0].contains("name service"));
        let other = into.replace("port: site", "port: 9093");
        assert_eq!(faults(&[&deny, &out, &names, &other]).len(), 1);
    }
}
