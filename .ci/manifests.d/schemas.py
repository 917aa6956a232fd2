"""CustomResourceDefinitions -> one JSON file of strict schemas: schemas.py OUT.json CRD.yaml…

Strict: an object whose properties are known takes no others. Descriptions are left out.
"""

import json
import sys

import yaml

# what Kubernetes itself adds to each object; CRDs only say "object"
METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


# what is said here is a condition on top of what stands beside it, and need not name every property
CONDITIONS = ("allOf", "anyOf", "oneOf", "not")


def closed(schema, condition=False):
    """The schema without descriptions, with every object closed that does not ask to be open."""
    if isinstance(schema, list):
        return [closed(part, condition) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: closed(part, condition) for name, part in value.items()}
        elif key not in ("description", "x-kubernetes-validations"):
            out[key] = closed(value, condition or key in CONDITIONS)
    if out.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    open_to_all = out.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in out
    if "properties" in out and not open_to_all and not condition:
        out["additionalProperties"] = False
    return out


def main(target, sources):
    kinds = {}
    for source in sources:
        with open(source, encoding="utf-8") as file:
            definition = next(doc for doc in yaml.safe_load_all(file) if doc)
        spec = definition["spec"]
        for version in spec["versions"]:
            if not version["served"]:
                continue
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"].update({"metadata": METADATA, "apiVersion": {"type": "string"}, "kind": {"type": "string"}})
            # a status is for the operator to write
            schema["properties"].pop("status", None)
            schema["required"] = sorted({*schema.get("required", []), "spec"})
            kinds[f"{spec['group']}/{version['name']} {spec['names']['kind']}"] = schema
    with open(target, "w", encoding="utf-8") as file:
        json.dump(kinds, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")
    print(f"{target}: {', '.join(sorted(kinds))}")


main(sys.argv[1], sys.argv[2:])
