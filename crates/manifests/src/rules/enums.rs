//! Fields that may have a few values only. Schemas give them as any text.

use crate::finding::Finding;
use crate::object::Field;
use crate::world::World;
use text::similar;

pub(super) const ID: &str = "enum";

/// Kind, pattern, and what is allowed.
const OF_OBJECTS: &[(&str, &str, &[&str])] = &[
    ("Service", "spec.type", &["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
    ("Service", "spec.ports[].protocol", PROTOCOLS),
    ("Service", "spec.externalTrafficPolicy", &["Cluster", "Local"]),
    ("Service", "spec.internalTrafficPolicy", &["Cluster", "Local"]),
    ("Service", "spec.sessionAffinity", &["ClientIP", "None"]),
    ("Service", "spec.ipFamilyPolicy", &["SingleStack", "PreferDualStack", "RequireDualStack"]),
    ("Deployment", "spec.strategy.type", &["RollingUpdate", "Recreate"]),
    ("StatefulSet", "spec.podManagementPolicy", &["OrderedReady", "Parallel"]),
    ("StatefulSet", "spec.updateStrategy.type", &["RollingUpdate", "OnDelete"]),
    ("StatefulSet", "spec.volumeClaimTemplates[].spec.accessModes[]", ACCESS),
    ("PersistentVolumeClaim", "spec.accessModes[]", ACCESS),
    ("PersistentVolumeClaim", "spec.volumeMode", &["Filesystem", "Block"]),
    ("CronJob", "spec.concurrencyPolicy", &["Allow", "Forbid", "Replace"]),
    ("PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"]),
    ("PodDisruptionBudget", "spec.selector.matchExpressions[].operator", OPERATORS),
    ("NetworkPolicy", "spec.policyTypes[]", &["Ingress", "Egress"]),
    ("NetworkPolicy", "spec.ingress[].ports[].protocol", PROTOCOLS),
    ("NetworkPolicy", "spec.egress[].ports[].protocol", PROTOCOLS),
    ("NetworkPolicy", "spec.podSelector.matchExpressions[].operator", OPERATORS),
    (
        "Ingress",
        "spec.rules[].http.paths[].pathType",
        &["Exact", "Prefix", "ImplementationSpecific"],
    ),
    (
        "HorizontalPodAutoscaler",
        "spec.metrics[].type",
        &["ContainerResource", "Resource", "Pods", "Object", "External"],
    ),
    ("HorizontalPodAutoscaler", "spec.metrics[].containerResource.target.type", TARGETS),
    ("HorizontalPodAutoscaler", "spec.metrics[].resource.target.type", TARGETS),
    ("HorizontalPodAutoscaler", "spec.metrics[].pods.target.type", TARGETS),
    ("HorizontalPodAutoscaler", "spec.metrics[].external.target.type", TARGETS),
    ("HorizontalPodAutoscaler", "spec.behavior.*.selectPolicy", SELECT),
    ("HorizontalPodAutoscaler", "spec.behavior.*.policies[].type", SCALING),
    ("ScaledObject", "spec.advanced.horizontalPodAutoscalerConfig.behavior.*.selectPolicy", SELECT),
    (
        "ScaledObject",
        "spec.advanced.horizontalPodAutoscalerConfig.behavior.*.policies[].type",
        SCALING,
    ),
    ("ScaledObject", "spec.triggers[].metricType", TARGETS),
    ("Role", "rules[].verbs[]", VERBS),
    ("ClusterRole", "rules[].verbs[]", VERBS),
    ("RoleBinding", "subjects[].kind", &["ServiceAccount", "User", "Group"]),
    ("RoleBinding", "roleRef.kind", &["Role", "ClusterRole"]),
];

const OF_PODS: &[(&str, &[&str])] = &[
    ("restartPolicy", &["Always", "OnFailure", "Never"]),
    ("dnsPolicy", &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
    ("preemptionPolicy", &["PreemptLowerPriority", "Never"]),
    ("securityContext.seccompProfile.type", SECCOMP),
    ("securityContext.fsGroupChangePolicy", &["OnRootMismatch", "Always"]),
    ("tolerations[].operator", &["Exists", "Equal"]),
    ("tolerations[].effect", EFFECTS),
    ("topologySpreadConstraints[].whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway"]),
    ("topologySpreadConstraints[].nodeTaintsPolicy", &["Honor", "Ignore"]),
    ("topologySpreadConstraints[].nodeAffinityPolicy", &["Honor", "Ignore"]),
    (
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[].operator",
        NODES,
    ),
    (
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[].operator",
        NODES,
    ),
    ("volumes[].emptyDir.medium", &["", "Memory", "HugePages"]),
];

const OF_CONTAINERS: &[(&str, &[&str])] = &[
    ("imagePullPolicy", &["Always", "IfNotPresent", "Never"]),
    ("ports[].protocol", PROTOCOLS),
    ("terminationMessagePolicy", &["File", "FallbackToLogsOnError"]),
    ("restartPolicy", &["Always", "OnFailure", "Never"]),
    ("securityContext.seccompProfile.type", SECCOMP),
    ("readinessProbe.httpGet.scheme", SCHEMES),
    ("livenessProbe.httpGet.scheme", SCHEMES),
    ("startupProbe.httpGet.scheme", SCHEMES),
];

const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
const ACCESS: &[&str] = &["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
const OPERATORS: &[&str] = &["In", "NotIn", "Exists", "DoesNotExist"];
const NODES: &[&str] = &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
const TARGETS: &[&str] = &["Utilization", "AverageValue", "Value"];
const SELECT: &[&str] = &["Max", "Min", "Disabled"];
const SCALING: &[&str] = &["Pods", "Percent"];
const SECCOMP: &[&str] = &["RuntimeDefault", "Localhost", "Unconfined"];
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
const SCHEMES: &[&str] = &["HTTP", "HTTPS"];
const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
    "use",
    "*",
];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for object in world.objects {
        for (_, pattern, allowed) in OF_OBJECTS.iter().filter(|(kind, ..)| *kind == object.kind) {
            findings.extend(outside(&object.root(), pattern, allowed));
        }
    }
    for workload in &world.workloads {
        for (pattern, allowed) in OF_PODS {
            findings.extend(outside(&workload.pod, pattern, allowed));
        }
        // a Job ends: it cannot always be started anew, and a Deployment must
        let restart = workload.pod.get("restartPolicy");
        let allowed: &[&str] = match workload.object.kind.as_str() {
            "Job" | "CronJob" => &["OnFailure", "Never"],
            "Pod" => &["Always", "OnFailure", "Never"],
            _ => &["Always"],
        };
        if restart
            .text()
            .is_some_and(|text| !allowed.contains(&text) && OF_PODS[0].1.contains(&text))
        {
            findings.push(restart.error(
                ID,
                format!("a {} allows only {} here", workload.object.kind, allowed.join(", ")),
            ));
        }
    }
    for (_, container) in world.containers() {
        for (pattern, allowed) in OF_CONTAINERS {
            findings.extend(outside(&container.field, pattern, allowed));
        }
    }
    findings
}

fn outside(field: &Field<'_>, pattern: &str, allowed: &[&str]) -> Vec<Finding> {
    let places = field.each(pattern).into_iter();
    let wrong = places
        .filter_map(|field| Some((field.text()?, field)))
        .filter(|(text, _)| !allowed.contains(text));
    let finding = |(text, field): (&str, Field<'_>)| {
        let finding = field.error(
            ID,
            format!("'{text}' is not allowed; it must be one of {}", allowed.join(", ")),
        );
        match similar(text, &mut allowed.iter().copied()) {
            Some(meant) => finding.help(format!("did you mean {meant}?")),
            None => finding,
        }
    };
    wrong.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{found, found_in_container};

    #[test]
    fn values_outside_are_named_with_what_is_allowed() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ClusterIp, \
            ports: [{port: 1, protocol: TCP}]}\n";
        let found = found(service, "enum");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("spec.type") && found[0].contains("did you mean ClusterIP?"),
            "{found:?}"
        );
        assert!(found_in_container("imagePullPolicy: always", "enum")[0].contains("IfNotPresent"));
        assert!(found_in_container("imagePullPolicy: Always", "enum").is_empty());
    }
}
