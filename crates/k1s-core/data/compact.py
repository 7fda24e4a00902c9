#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes schemas.json and kinds.json of this folder from facts that a kube-apiserver publishes.

    compact.py FACTS       FACTS holds schemas.json, resources.json, columns.json and presence.json
    compact.py --check FACTS   says whether the schemas can be told back from the compact form

schemas.json    `#/components/schemas` of all documents of /openapi/v3, without descriptions
resources.json  per group/version the resources of its APIResourceList
columns.json    per "group/version Kind" the columnDefinitions of its Table
presence.json   per schema and field how the published Go type holds it: "*" (pointer), "[]", "map", "struct" or "value",
                then "omitempty", "omitzero" (printed by presence/main.go)

README.md tells the compact form.
"""
import json, pathlib, sys

PRIMITIVE = {("string", None): "string", ("string", "byte"): "bytes", ("boolean", None): "bool", ("integer", "int32"): "int32",
             ("integer", "int64"): "int64", ("integer", None): "int64", ("number", "double"): "double", ("object", None): "any", (None, None): "any"}
ZERO = {"string": "", "bool": False, "int32": 0, "int64": 0, "double": 0}


def kind_of(v):
    ref = v.get("$ref") or (v["allOf"][0]["$ref"] if "allOf" in v else None)
    if ref:
        return ref.rsplit("/", 1)[1].removeprefix("io.k8s.")
    if v.get("type") == "array":
        return "[]" + kind_of(v["items"])
    if v.get("type") == "object" and "additionalProperties" in v:
        return "map[]" + kind_of(v["additionalProperties"])
    return PRIMITIVE[(v.get("type"), v.get("format"))]


def field(name, v, required, presence):
    kind = kind_of(v)
    go = presence.split()
    leaf = v["items"] if "items" in v else v.get("additionalProperties", v) if isinstance(v.get("additionalProperties"), dict) else v
    if go[0] == "*":
        mark = "*" if len(go) > 1 else "=*"
    elif go[0] == "struct":
        mark = "" if "omitzero" in go else "="
    else:
        mark = "" if "omitempty" in go or "omitzero" in go else "="
    out = [mark + kind]
    if name in required:
        out.append("required")
    if "default" in v and v["default"] != {} and not (mark == "=" and v["default"] == ZERO.get(kind)):
        out.append("default:" + json.dumps(v["default"]))
    if "enum" in leaf:
        out.append("enum:" + ",".join(v.replace(" ", "%20") for v in leaf["enum"]))
    lt = v.get("x-kubernetes-list-type")
    if lt == "map":
        out.append("keys:" + ",".join(v["x-kubernetes-list-map-keys"]))
    elif lt:
        out.append(lt)
    if v.get("x-kubernetes-map-type"):
        out.append(v["x-kubernetes-map-type"])
    st = v.get("x-kubernetes-patch-strategy")
    if st:
        out.append("patch:" + st + (":" + v["x-kubernetes-patch-merge-key"] if "x-kubernetes-patch-merge-key" in v else ""))
    elif "x-kubernetes-patch-merge-key" in v:
        out.append("patch::" + v["x-kubernetes-patch-merge-key"])
    return " ".join(out)


# An empty list here is refused, an absent one is filled in: the two must stay apart.
GIVEN = {("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies"): "* omitempty"}


def main():
    facts = pathlib.Path(sys.argv[-1])
    here = pathlib.Path(__file__).parent
    schemas, resources, columns, presence = (json.load(open(facts / f"{n}.json")) for n in ("schemas", "resources", "columns", "presence"))
    out, gaps = {}, set()
    for name, s in sorted(schemas.items()):
        short = name.removeprefix("io.k8s.")
        entry = {}
        if "properties" in s:
            known = presence.get(name)
            if known is None:
                gaps.add(name)
                known = {}
            # some objects say that they need their metadata
            entry["fields"] = {p: field(p, v, s.get("required", []), GIVEN.get((name, p)) or known.get(p) or guess(v)) for p, v in sorted(s["properties"].items())}
        for key, to in (("x-kubernetes-group-version-kind", "gvk"), ("x-kubernetes-map-type", "map"), ("x-kubernetes-unions", "unions"),
                        ("format", "format"), ("oneOf", "oneOf")):
            if key in s:
                entry[to] = s[key]
        if s.get("required", []) != sorted(s.get("required", [])):
            entry["required"] = s["required"]
        if s.get("type") not in ("object", None):
            entry["type"] = s["type"]
        if "properties" not in s and s.get("type") is None:
            entry["untyped"] = True
        if entry.get("gvk"):
            entry["gvk"] = [f"{g['group']}/{g['version']}/{g['kind']}" for g in entry["gvk"]]
        out[short] = entry
    kinds = {}
    for gv, items in sorted(resources.items()):
        kinds[gv] = [{k: v for k, v in r.items() if v not in ("", [], None)} | ({"columns": [[c["name"], c["type"], c["format"], c["priority"]] for c in columns[key]]} if (key := f"{gv} {r['kind']}") in columns and "/" not in r["name"] else {}) for r in items]
    write(here / "schemas.json", out)
    write(here / "kinds.json", kinds)
    if gaps:
        print("no presence known, guessed:", *sorted(gaps))


def guess(v):
    if "$ref" in v: return "* omitempty"
    if "allOf" in v: return "struct"
    if v.get("type") == "array": return "[] omitempty"
    if v.get("type") == "object": return "map omitempty"
    return "value" if "default" in v else "value omitempty"


def write(path, value):
    lines = []
    for k, v in value.items():
        if isinstance(v, list):
            lines.append(json.dumps(k) + ": [\n" + ",\n".join("  " + json.dumps(i) for i in v) + "]")
        else:
            lines.append(json.dumps(k) + ": " + json.dumps(v))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
