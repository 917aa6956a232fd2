//! What the preprocessor may ask the cluster, and what it is told to watch.

use crate::finding::Finding;
use crate::object::{Field, Object};
use crate::world::{Container, Workload, World};
use text::similar;

pub(super) const ID: &str = "rights";
pub(super) const DEPLOYMENT: &str = "watched-deployment";

const VERBS: [&str; 3] = ["get", "list", "watch"];
/// Whose deployments are watched: the variable, and the unit that runs in them.
const WATCHED: [(&str, &str); 2] =
    [("MLVI_EDGE_DEPLOYMENT", "edge-inference"), ("MLVI_CLOUD_DEPLOYMENT", "cloud-inference")];

pub(super) fn rights(world: &World<'_>) -> Vec<Finding> {
    let watching = world
        .units()
        .filter(|(workload, container, _)| watches(container) && has_token(world, workload));
    let mut findings: Vec<Finding> = watching
        .flat_map(|(workload, container, _)| too_small(world, workload, container))
        .collect();
    findings.extend(world.of_kind("Role").chain(world.of_kind("ClusterRole")).flat_map(too_wide));
    findings.extend(idle_tokens(world));
    findings
}

fn watches(container: &Container<'_>) -> bool {
    container.program.is_some_and(|program| program.knows("MLVI_CLUSTER"))
        && container.setting("MLVI_CLUSTER").is_some_and(|setting| setting.value == "auto")
}

/// Whether the pod is given the token of its account: it may say so itself, or the account, and
/// else it is so.
fn has_token(world: &World<'_>, workload: &Workload<'_>) -> bool {
    let account =
        account_of(world, workload).map(|account| account.at("automountServiceAccountToken"));
    let own = workload.pod.get("automountServiceAccountToken").flag();
    own.or(account.and_then(|field| field.flag())).unwrap_or(true)
}

fn account_of<'a>(world: &World<'a>, workload: &Workload<'a>) -> Option<&'a Object> {
    world.find(
        "ServiceAccount",
        workload.pod.get("serviceAccountName").text()?,
        &workload.object.namespace,
    )
}

fn too_small(
    world: &World<'_>,
    workload: &Workload<'_>,
    container: &Container<'_>,
) -> Vec<Finding> {
    let account = workload.pod.get("serviceAccountName");
    let name = account.text().unwrap_or("default");
    let roles = roles_of(world, name, &workload.object.namespace);
    if roles.is_empty() {
        if world.is_hidden("Role") || world.is_hidden("RoleBinding") {
            return Vec::new();
        }
        let message = format!(
            "MLVI_CLUSTER is auto, and nothing gives the account '{name}' the right to watch \
             deployments"
        );
        return vec![account.warning(ID, message).help(
            "bind a Role with get, list and watch on deployments and horizontalpodautoscalers, \
                 or set MLVI_CLUSTER=off",
        )];
    }
    let mut findings = Vec::new();
    let names = WATCHED
        .iter()
        .filter_map(|(variable, _)| container.setting(variable))
        .map(|setting| setting.value);
    let mut wanted: Vec<(&str, &str, Option<String>)> =
        names.map(|name| ("apps", "deployments", Some(name))).collect();
    wanted.push(("autoscaling", "horizontalpodautoscalers", None));
    for (group, resource, named) in wanted {
        let missing: Vec<&str> = VERBS
            .into_iter()
            .filter(|verb| {
                !roles.iter().any(|role| allows(role, group, resource, named.as_deref(), verb))
            })
            .collect();
        if !missing.is_empty() {
            let what =
                named.map_or_else(|| resource.to_owned(), |name| format!("{resource} '{name}'"));
            let message = format!(
                "{} watches {what}, and this does not allow it to {}",
                workload.object.title(),
                missing.join(", ")
            );
            findings.push(roles[0].at("rules").error(ID, message));
        }
    }
    findings
}

fn roles_of<'a>(world: &World<'a>, account: &str, namespace: &str) -> Vec<&'a Object> {
    let bound = |binding: &&Object| {
        let subjects = binding.at("subjects").items();
        subjects.iter().any(|subject| {
            subject.get("kind").text() == Some("ServiceAccount")
                && subject.get("name").text() == Some(account)
        })
    };
    let bindings =
        world.of_kind("RoleBinding").chain(world.of_kind("ClusterRoleBinding")).filter(bound);
    bindings
        .filter_map(|binding| {
            world.find(
                binding.at("roleRef.kind").text()?,
                binding.at("roleRef.name").text()?,
                namespace,
            )
        })
        .collect()
}

fn allows(role: &Object, group: &str, resource: &str, named: Option<&str>, verb: &str) -> bool {
    let holds = |list: Field<'_>, wanted: &str| {
        list.items()
            .iter()
            .any(|item| item.text().is_some_and(|text| text == wanted || text == "*"))
    };
    role.at("rules").items().iter().any(|rule| {
        let names = rule.get("resourceNames");
        let named_so = names.items().is_empty()
            || named
                .is_some_and(|named| names.items().iter().any(|name| name.text() == Some(named)));
        holds(rule.get("apiGroups"), group)
            && holds(rule.get("resources"), resource)
            && holds(rule.get("verbs"), verb)
            && named_so
    })
}

/// Nothing of this suite changes anything in a cluster, or reads Secrets.
fn too_wide(role: &Object) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in role.at("rules").items() {
        let verbs = rule
            .get("verbs")
            .items()
            .into_iter()
            .filter(|verb| verb.text().is_some_and(|text| !VERBS.contains(&text)));
        findings.extend(
            verbs.map(|verb| verb.warning(ID, "no unit needs more than get, list and watch")),
        );
        let resources = rule
            .get("resources")
            .items()
            .into_iter()
            .filter(|item| matches!(item.text(), Some("*" | "secrets")));
        findings.extend(
            resources.map(|item| item.warning(ID, "no unit needs to see Secrets, or everything")),
        );
    }
    findings
}

/// A token that nobody uses is one that can be stolen.
fn idle_tokens(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (workload, container, program) in world.units() {
        if program.knows("MLVI_CLUSTER")
            && container.setting("MLVI_CLUSTER").is_none_or(|setting| setting.value != "off")
        {
            continue;
        }
        if has_token(world, workload) {
            let field = workload.pod.get("automountServiceAccountToken");
            let message = format!(
                "{} does not speak with the cluster, and is given a token for it",
                program.name
            );
            findings.push(field.warning(ID, message).help("automountServiceAccountToken: false"));
        }
    }
    findings
}

/// The preprocessor watches deployments by name.
pub(super) fn deployments(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, container, program) in world.units() {
        let off = container.setting("MLVI_CLUSTER").is_none_or(|setting| setting.value == "off");
        for (variable, unit) in
            WATCHED.iter().filter(|(variable, _)| program.knows(variable) && !off)
        {
            let Some(setting) = container.setting(variable) else { continue };
            let running: Vec<&str> = world
                .units()
                .filter(|(.., other)| other.name == *unit)
                .map(|(workload, ..)| workload.object.name.as_str())
                .collect();
            // with two clusters the other tier is not here
            if running.is_empty() || running.contains(&setting.value.as_str()) {
                continue;
            }
            let finding = setting.field.error(
                DEPLOYMENT,
                format!(
                    "{unit} runs in {}, but {variable} is '{}'",
                    running.join(", "),
                    setting.value
                ),
            );
            findings.push(match similar(&setting.value, &mut running.iter().copied()) {
                Some(meant) => finding.help(format!("did you mean '{meant}'?")),
                None => finding.help(format!("set {variable}={}", running[0])),
            });
        }
    }
    findings
}
