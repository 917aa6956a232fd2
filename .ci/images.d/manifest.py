#!/usr/bin/env python3
"""What containers outside Kubernetes need of the manifests, so that they run what `kubectl apply` would.

  manifest.py files FOLDER NAME OUT    writes each entry of the ConfigMap NAME as a file below OUT
  manifest.py env FOLDER NAME          prints the ConfigMap NAME as KEY=VALUE lines, for --env-file
  manifest.py plain FOLDER KIND NAME   prints the environment variables of KIND/NAME's first container that stand in the manifest, or that
                                       are the names of its pod and namespace
  manifest.py temporary FOLDER KIND NAME   prints where its containers mount an emptyDir, a path a line
  manifest.py secret FILE NAME OUT     writes each entry of the Secret NAME as a file below OUT
"""

import base64
import pathlib
import re
import sys

import yaml


def documents(place):
    path = pathlib.Path(place)
    files = sorted(path.glob("*.yml")) if path.is_dir() else [path]
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            yield from (document.get("items", [document]) if document else [])


def find(place, kind, name):
    for document in documents(place):
        if document["kind"] == kind and document["metadata"]["name"] == name:
            return document
    sys.exit(f"manifest.py: {place} has no {kind} {name}")


def write(entries, out):
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in entries.items():
        (folder / key).write_bytes(value)


def pod(document):
    return document["spec"]["template"]["spec"]


def plain(document):
    metadata = document["metadata"]
    pod_name = metadata["name"] + ("-0" if document["kind"] == "StatefulSet" else "")
    fields = {"metadata.name": pod_name, "metadata.namespace": metadata["namespace"]}
    values = {}
    for variable in pod(document)["containers"][0].get("env", []):
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        value = fields.get(field) if field else variable.get("value")
        if value is not None:
            # what Kubernetes does with variables that stand further up
            values[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: values.get(match[1], match[0]), value)
    return values


def main(what, *arguments):
    if what == "files":
        place, name, out = arguments
        write({key: value.encode() for key, value in find(place, "ConfigMap", name)["data"].items()}, out)
    elif what == "secret":
        place, name, out = arguments
        secret = find(place, "Secret", name)
        entries = {key: base64.b64decode(value) for key, value in secret.get("data", {}).items()}
        write(entries | {key: value.encode() for key, value in secret.get("stringData", {}).items()}, out)
    elif what == "env":
        place, name = arguments
        for key, value in find(place, "ConfigMap", name)["data"].items():
            if "\n" not in value:
                print(f"{key}={value}")
    elif what == "plain":
        for name, value in plain(find(*arguments)).items():
            print(f"{name}={value}")
    elif what == "temporary":
        spec = pod(find(*arguments))
        empty = {volume["name"] for volume in spec.get("volumes", []) if "emptyDir" in volume}
        mounts = [mount for container in spec["containers"] for mount in container.get("volumeMounts", [])]
        print("\n".join(sorted({mount["mountPath"] for mount in mounts if mount["name"] in empty})))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
