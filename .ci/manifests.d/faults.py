"""Plants faults in the builds and expects each to be found: faults.py BUILDS"""

import copy
import re
import sys

import yaml

from check import embedded, inside, query
from strict import Loader, load, problems


def at(thing, path):
    for step in path[:-1]:
        thing = thing[step]
    return thing, path[-1]


def swap(*path, old, new):
    def act(thing):
        where, name = at(thing, path)
        assert old in where[name], f"{name} does not say {old} any more"
        where[name] = where[name].replace(old, new)

    return act


def put(*path, value):
    def act(thing):
        where, name = at(thing, path)
        where[name] = value

    return act


def rename(*path, to):
    def act(thing):
        where, name = at(thing, path)
        where[to] = where.pop(name)

    return act


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
# build, kind, name, what is done to it, what the finding must name
FAULTS = [
    ("all", "Deployment", "web-server", rename(*CONTAINER, "readinessProbe", to="readynessProbe"), "readynessProbe"),
    ("all", "Deployment", "web-server", rename(*CONTAINER, "resources", "requests", to="request"), "request"),
    ("all", "Deployment", "preprocessor", put(*POD, "terminationGracePeriodSeconds", value="30"), "terminationGracePeriodSeconds"),
    ("all", "Deployment", "edge-inference", put(*CONTAINER, "env", 0, "value", value=1), "env"),
    ("all", "Deployment", "edge-inference", put(*CONTAINER, "ports", 0, "containerPort", value="admin"), "containerPort"),
    ("all", "Deployment", "cloud-inference", rename(*CONTAINER, "lifecycle", "preStop", "sleep", to="pause"), "pause"),
    ("all", "Deployment", "cloud-inference", rename("spec", "selector", to="selectors"), "select"),
    ("all", "Service", "web-server", put("spec", "ports", 0, "port", value="eighty"), "port"),
    ("all", "Service", "edge-inference", put("spec", "publishNotReadyAddresses", value=False), "publishNotReadyAddresses"),
    ("all", "ConfigMap", "mlvi-bus", put("data", "MLVI_PARTITIONS", value=12), "MLVI_PARTITIONS"),
    ("all", "StatefulSet", "edge-broker", rename("spec", "serviceName", to="servicename"), "servicename"),
    ("all", "StatefulSet", "edge-broker", put("spec", "replicas", value="1"), "replicas"),
    ("all", "Deployment", "edge-broker-topics", rename("spec", "strategy", "type", to="kind"), "kind"),
    ("all", "PriorityClass", "mlvi-inference", rename("value", to="values"), "value"),
    ("three-brokers", "StatefulSet", "edge-broker", put(*POD, "topologySpreadConstraints", 0, "minDomains", value="three"), "minDomains"),
    ("all", "NetworkPolicy", "edge-broker", rename("spec", "ingress", 0, "ports", to="port"), "port"),
    ("all", "PodDisruptionBudget", "web-server", rename("spec", "unhealthyPodEvictionPolicy", to="unhealthyEviction"), "unhealthyEviction"),
    ("all", "Role", "preprocessor", rename("rules", 0, "verbs", to="verb"), "verb"),
    ("all", "HorizontalPodAutoscaler", "web-server", rename("spec", "maxReplicas", to="maxReplica"), "maxReplica"),
    ("all", "HorizontalPodAutoscaler", "web-server", put("spec", "minReplicas", value="two"), "minReplicas"),
    ("all", "HorizontalPodAutoscaler", "edge-inference", put("spec", "behavior", "scaleDown", "stabilisation", value=1), "stabilisation"),
    ("all", "HorizontalPodAutoscaler", "edge-inference", rename("spec", "metrics", 0, "containerResource", "container", to="pod"), "'container'"),
    ("all", "HorizontalPodAutoscaler", "preprocessor", put("apiVersion", value="autoscaling/v2beta2"), "v2beta2"),
    ("k3s-single-node", "Ingress", "web-server", rename("spec", "rules", 0, "http", "paths", 0, "pathType", to="type"), "'pathType'"),
    ("k3s-single-node", "PersistentVolumeClaim", "models", put("spec", "accessModes", value="ReadWriteOnce"), "accessModes"),
    ("keda", "ScaledObject", "edge-inference", put("spec", "maxReplicas", value=4), "maxReplicas"),
    ("keda", "ScaledObject", "edge-inference", put("spec", "triggers", 0, "metadata", "lagThreshold", value=5), "lagThreshold"),
    ("keda", "ScaledObject", "preprocessor", rename("spec", "scaleTargetRef", "name", to="deployment"), "deployment"),
    ("keda", "TriggerAuthentication", "edge-broker", rename("spec", "secretTargetRef", 0, "key", to="secretKey"), "secretKey"),
    ("strimzi", "Kafka", "edge-broker", put("apiVersion", value="kafka.strimzi.io/v1beta2"), "v1beta2"),
    ("strimzi", "Kafka", "edge-broker", put("spec", "kafka", "replicas", value=3), "replicas"),
    ("strimzi", "Kafka", "edge-broker", put("spec", "kafka", "listeners", 0, "tls", value="false"), "tls"),
    ("strimzi", "Kafka", "edge-broker", rename("spec", "kafka", "listeners", 1, "authentication", to="authentification"), "authentification"),
    ("strimzi", "KafkaNodePool", "node", put("spec", "roles", value=["controler"]), "controler"),
    ("strimzi", "KafkaTopic", "mlvi.frames", put("spec", "partitions", value="12"), "partitions"),
    ("strimzi", "KafkaUser", "cloud", put("spec", "authorization", "acls", 0, "operations", value=["Describes"]), "Describes"),
    ("monitoring", "ServiceMonitor", "mlvi", rename("spec", "endpoints", to="endpoint"), "endpoint"),
    ("monitoring", "PrometheusRule", "mlvi", rename("spec", "groups", 0, "rules", 0, "for", to="after"), "after"),
    ("monitoring", "PrometheusRule", "mlvi", put("spec", "groups", 0, "rules", 0, "expr", value="sum(rate(up[5m])"), "sum"),
    ("monitoring", "PrometheusRule", "mlvi", put("spec", "groups", 0, "rules", 0, "expr", value="mlvi_frames_taken_total"), "mlvi_frames_taken"),
    ("observability", "DaemonSet", "log-collector", rename(*POD, "volumes", 1, "hostPath", to="hostFolder"), "hostFolder"),
    ("observability", "DaemonSet", "log-collector", put(*POD, "tolerations", value={}), "tolerations"),
    ("observability", "ConfigMap", "log-collector-", swap("data", "log-collector.yml", old="receivers: [file_log]", new="receivers: [file_log"), "log-collector.yml"),
    ("observability", "ConfigMap", "loki-", swap("data", "loki-settings.yml", old="auth_enabled: false", new="auth_enabled: false\nauth_enabled: true"), "stands twice"),
    ("observability", "ConfigMap", "grafana-dashboards-", swap("data", "suite.json", old="mlvi_preprocessor_backlog_frames", new="mlvi_preprocessor_backlogs"), "mlvi_preprocessor_backlogs"),
    ("observability", "ConfigMap", "grafana-dashboards-", swap("data", "suite.json", old="{service_namespace=", new="{namespace="), "no label namespace"),
    ("observability", "ConfigMap", "grafana-dashboards-", swap("data", "logs.json", old="| frame_id=~", new="| frame=~"), "no line has a field frame"),
    ("observability", "ConfigMap", "grafana-dashboards-", swap("data", "logs.json", old='service_name=~\\"$unit', new='service_name=~\\"$units'), "no variable $units"),
    ("all", "ConfigMap", "edge-broker-scripts", put("data", "start.sh", value="if true; then\n"), "start.sh"),
    ("all", "ConfigMap", "edge-broker", put("data", "server.properties", value="a=1\na=2\n"), "stands twice"),
    ("all", "ConfigMap", "preprocessor-policy", put("data", "policy.toml", value="policy = deadline\n"), "policy.toml"),
]


def missed(builds):
    """The faults that nobody found, in words."""
    cache = {}
    for build, kind, name, plant, named in FAULTS:
        things = cache.setdefault(build, load(f"{builds}/{build}.yml"))
        # a name that ends with - goes on with the hash of what is in it
        thing = next((t for t in things if t["kind"] == kind and re.fullmatch(name + (r"\w+" if name[-1] == "-" else ""), t["metadata"]["name"])), None)
        if thing is None:
            yield f"{build}.yml has no {kind} {name} to plant a fault in"
            continue
        faulty = copy.deepcopy(thing)
        plant(faulty)
        found = problems(faulty)
        found = found or list(inside(faulty))
        if not any(named in problem for problem in found):
            yield f"{build}.yml: {kind} {name}: a fault at {named} was not found; found: {found}"
    try:
        yaml.load("a: 1\na: 2\n", Loader=Loader)
        yield "a key that stands twice was not found"
    except yaml.YAMLError:
        pass
    if not list(embedded("x.json", "{")) or list(query("up")):
        yield "a broken dashboard was not found, or a query that is right was refused"


def main(builds):
    problems_found = list(missed(builds))
    for problem in problems_found:
        print(f"error: {problem}", file=sys.stderr)
    print(f"manifests: {len(FAULTS) + 2} planted faults, {len(problems_found)} not found")
    return 1 if problems_found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
