"""What makes one object valid: Kubernetes' schemas for its own kinds, the operators' for theirs, nothing else."""

import functools
import glob
import json
import os
import re

import jsonschema
import kubernetes_validate
import yaml

# the oldest Kubernetes on which everything used here is on by default, and the newest that there are schemas for
VERSIONS = ("1.31", "1.37")
# a build that says in its name from which Kubernetes on it is meant, as components/kubernetes-1.36, is held against that one
NEWER = re.compile(r"kubernetes-(\d+\.\d+)")


def versions_of(build):
    """The versions of Kubernetes that the build of this name must fit."""
    newer = NEWER.search(build)
    return (newer[1], VERSIONS[-1]) if newer else VERSIONS


# kinds that kustomize and kubectl read, not the cluster
TOOLING = "kustomize.config.k8s.io/"


class Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):
    """Refuses a key that stands twice: YAML takes the last one in silence."""


def _mapping(loader, node, deep=False):
    seen = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{name}' stands twice", key.start_mark)
        seen.add(name)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(path):
    """All documents of a file."""
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.load_all(file, Loader=Loader) if document is not None]


def _operators():
    kinds = {}
    for path in glob.glob(os.path.join(os.path.dirname(__file__), "schemas", "*.json")):
        with open(path, encoding="utf-8") as file:
            kinds.update(json.load(file))
    return {kind: jsonschema.Draft202012Validator(schema) for kind, schema in kinds.items()}


OPERATORS = _operators()
BUILT_IN = re.compile(r"^(v1|(apps|batch|autoscaling|policy)/.*|.*\.k8s\.io/.*)$")


def problems(thing, versions=VERSIONS):
    """What is wrong with an object in these versions of Kubernetes, a line each; empty when nothing is."""
    if not isinstance(thing, dict) or not isinstance(thing.get("kind"), str) or not isinstance(thing.get("apiVersion"), str):
        return ["no apiVersion and kind"]
    if not isinstance(thing.get("metadata"), dict) or not thing["metadata"].get("name"):
        return [f"{thing['kind']} without metadata.name"]
    kind = f"{thing['apiVersion']} {thing['kind']}"
    who = f"{thing['kind']} {thing['metadata']['name']}"
    if BUILT_IN.match(thing["apiVersion"]):
        # most objects are the same in most builds
        return [f"{who}: {text}" for text in _built_in(json.dumps(thing, sort_keys=True), versions)]
    if kind in OPERATORS:
        errors = OPERATORS[kind].iter_errors(thing)
        return [f"{who}: {'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]
    return [f"{who}: there is no schema for {kind}"]


@functools.cache
def _built_in(text, versions):
    thing, found = json.loads(text), []
    for version in versions:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"Kubernetes {version}: {'.'.join(map(str, error.absolute_path))}: {error.message}")
        # the tool only warns of a kind that it does not know: here nothing passes unchecked
        except Exception as error:  # noqa: BLE001
            found.append(f"Kubernetes {version}: {getattr(error, 'message', error)}")
    return found
