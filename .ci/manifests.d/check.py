"""Validates deploy/: check.py DEPLOY BUILDS"""

import glob
import json
import os
import re
import subprocess
import sys
import tomllib

import jsonschema
import promql_parser
import yaml

from strict import TOOLING, Loader, load, problems, versions_of

EXTENSIONS = (".yml", ".yaml", ".json")


def key(thing):
    return thing["apiVersion"], thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]


def read_alone(folder):
    """What `kubectl apply -f folder` would read."""
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(EXTENSIONS)]
    return [(path, thing) for path in paths for thing in load(path)]


def check_alone(folder, build):
    """A unit's folder, applied without kustomize, gives what kustomize gives."""
    found, alone = [], {}
    for path, thing in read_alone(folder):
        found += [f"{path}: {problem}" for problem in problems(thing)]
        if thing["metadata"].get("namespace") != "mlvi":
            found.append(f"{path}: {thing['kind']} {thing['metadata']['name']}: metadata.namespace is not mlvi")
        alone[key(thing)] = thing
    built = {key(thing): thing for thing in load(build)}
    for name in alone.keys() ^ built.keys():
        found.append(f"{folder}: {name[1]} {name[3]} is {'not ' if name in alone else 'only '}in the Kustomization's build")
    for name in alone.keys() & built.keys():
        if alone[name] != built[name]:
            found.append(f"{folder}: {name[1]} {name[3]} is another one when built by kustomize")
    return found, len(alone)


def check_build(path):
    found, seen = [], set()
    things, versions = load(path), versions_of(os.path.basename(path))
    for thing in things:
        found += [f"{os.path.basename(path)}: {problem}" for problem in problems(thing, versions)]
        if "metadata" in thing and key(thing) in seen:
            found.append(f"{os.path.basename(path)}: {thing['kind']} {thing['metadata']['name']} stands twice")
        seen.add(key(thing))
        found += [f"{os.path.basename(path)}: {problem}" for problem in inside(thing)]
    return found, len(things)


def inside(thing):
    """What the strings of an object hold: scripts, properties, policies, dashboards, queries."""
    if thing["kind"] == "ConfigMap":
        for name, text in (thing.get("data") or {}).items():
            who = f"ConfigMap {thing['metadata']['name']}: data.{name}"
            yield from (f"{who}: {problem}" for problem in embedded(name, text))
    if thing["kind"] == "Service" and "mlvi.io/scrape" in thing["metadata"].get("labels", {}):
        # a unit that is not ready would have no metrics when somebody wants to know why
        if thing["spec"].get("clusterIP") != "None" or thing["spec"].get("publishNotReadyAddresses") is not True:
            yield f"Service {thing['metadata']['name']}: it is for metrics: clusterIP: None, and publishNotReadyAddresses: true"
    if thing["kind"] == "PrometheusRule":
        for group in thing["spec"]["groups"]:
            for rule in group["rules"]:
                who = f"PrometheusRule {thing['metadata']['name']}: {rule.get('alert') or rule.get('record')}"
                yield from (f"{who}: {problem}" for problem in query(rule["expr"]))


def embedded(name, text):
    if name.endswith((".yml", ".yaml")):
        try:
            yaml.load(text, Loader=Loader)
        except yaml.YAMLError as error:
            yield str(error)
    elif name.endswith(".sh"):
        # dash where it is there, as Debian's sh is: no bash words
        done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            yield done.stderr.strip()
    elif name.endswith(".properties"):
        yield from properties(text)
    elif name.endswith(".toml"):
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            yield str(error)
    elif name.endswith(".json"):
        try:
            board = json.loads(text)
        except json.JSONDecodeError as error:
            yield str(error)
            return
        for panel in board["panels"]:
            for target in panel["targets"]:
                for problem in asked(board, panel, target):
                    yield f"panel '{panel['title']}': {problem}"


def asked(board, panel, target):
    """What is wrong with one question of a panel."""
    source = target.get("datasource", panel.get("datasource")) or {}
    variables = set(re.findall(r"\$\{?(\w+)", json.dumps(target.get("expr", ""))))
    known = {variable["name"] for variable in board["templating"]["list"]}
    for name in sorted(variables - known):
        if not name.startswith("__"):
            yield f"there is no variable ${name}"
    kind = source.get("type")
    if not source.get("uid"):
        yield "a question names no data source"
    elif kind == "prometheus":
        yield from query(target["expr"].replace("$__rate_interval", "1m"))
    elif kind == "loki":
        yield from log_query(target["expr"])
    elif kind == "tempo":
        if target.get("queryType") != "traceql" or not re.fullmatch(r"\{.*\}", target["query"]):
            yield "no TraceQL"
    else:
        yield f"no data source is of the type {kind}"


# what Loki makes of a record of OpenTelemetry: labels as loki-settings.yml says, the rest as structured metadata
LABELS = {"service_name", "service_namespace", "k8s_container_name"}
METADATA = {"severity_text", "k8s_pod_name", "k8s_namespace_name"}


def log_fields():
    """The fields of a unit's line that are still beside it in Loki."""
    with open("docs/src/log.schema.json", encoding="utf-8") as file:
        return set(json.load(file)["properties"]) - {"timestamp", "level", "message"}


def log_schema():
    """The schema of a unit's line is one, and the example of the page fits it."""
    with open("docs/src/log.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    with open("docs/src/logs.md", encoding="utf-8") as file:
        examples = re.findall(r"^```json\n(.*?)^```", file.read(), re.M | re.S)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        yield f"docs/src/log.schema.json: {error.message}"
        return
    if not examples:
        yield "docs/src/logs.md has no example of a line"
    for line in "".join(examples).splitlines():
        for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(line)):
            yield f"docs/src/logs.md: its example: {error.message}"


def log_query(text):
    """LogQL as far as a unit's log decides whether it finds anything: braces, labels, fields."""
    selectors = re.findall(r"\{([^}]*)\}", text)
    if not selectors or any(text.count(one) != text.count(other) for one, other in ("{}", "()", "[]")):
        yield f"'{text}': no LogQL"
    matcher = r'(\w+)\s*(?:=~|!~|!=|=)\s*"'
    for selector in selectors:
        for name in re.findall(matcher, selector):
            if name not in LABELS:
                yield f"Loki has no label {name}"
    outside = re.sub(r"\{[^}]*\}", "", text)
    named = re.findall(r"\|\s*" + matcher, outside) + [
        name.strip() for group in re.findall(r"by \(([^)]*)\)", outside) for name in group.split(",")
    ]
    for name in named:
        if name not in LABELS | METADATA | log_fields():
            yield f"no line has a field {name}"


def properties(text):
    seen = set()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, equals, _ = line.partition("=")
        if not equals:
            yield f"no NAME=VALUE: {line}"
        if name in seen:
            yield f"{name} stands twice"
        seen.add(name)


def own_metrics():
    """The names that the units register, as Prometheus sees them."""
    names = set()
    for path in glob.glob("crates/*/src/**/metrics.rs", recursive=True):
        with open(path, encoding="utf-8") as file:
            source = file.read()
        names.update(re.findall(r'register\(\s*"([a-z_]+)"', source))
        names.update(re.findall(r'\(\s*"(preprocessor_tier_[a-z_]+)"', source))
    return {f"mlvi_{name}" for name in names}


METRICS = own_metrics()


def query(text):
    """A query must parse, and may only ask for metrics of ours that a unit has."""
    try:
        promql_parser.parse(text)
    except ValueError as error:
        yield f"'{text}': {error}"
    for name in set(re.findall(r"\bmlvi_[a-z_]+", text)):
        if name not in METRICS and re.sub(r"_(total|bucket|sum|count)$", "", name) not in METRICS:
            yield f"no unit has a metric {name}"


def main(deploy, builds):
    found, files, objects = [], 0, 0
    if not METRICS:
        found.append("no metric was found in crates/*/src: the search in own_metrics is out of date")
    found += log_schema()
    for path in sorted(glob.glob(f"{deploy}/**/*", recursive=True)):
        if path.endswith(EXTENSIONS):
            load(path)
            files += 1
        elif os.path.basename(path) == "Kustomization":
            if not load(path)[0]["apiVersion"].startswith(TOOLING):
                found.append(f"{path}: not a Kustomization")
    for folder in ("web-server", "preprocessor", "edge-inference", "cloud-inference", "edge-broker"):
        more, count = check_alone(f"{deploy}/{folder}", f"{builds}/{folder}.yml")
        found += more
        if not count:
            found.append(f"{deploy}/{folder} is empty")
    paths = sorted(glob.glob(f"{builds}/*.yml"))
    for path in paths:
        more, count = check_build(path)
        found += more
        objects += count
        if not count:
            found.append(f"{os.path.basename(path)} is empty")
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    print(f"manifests: {files} files and {len(paths)} builds with {objects} objects, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
