#!/usr/bin/env python3
"""Writes crates/asl-server/src/wire/table.txt: the facts of Step Functions' API model that requests and responses are checked by.

  operations-table.py    with botocore installed (.ci/run installs it)

One line a member: name (with * where it is required), type, limits. Structures that only histories have are left out.
"""
import pathlib

import botocore.loaders

OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/asl-server/src/wire/table.txt"
# In which order AWS names the values in its messages, where that is recorded; of the others it is the model's.
ORDER = {"ExecutionStatus": ["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]}

model = botocore.loaders.Loader().load_service_model("stepfunctions", "service-2")
shapes, wanted, done = model["shapes"], [], set()


def span(s):
    return f" {s.get('min', '')}..{s.get('max', '')}" if "min" in s or "max" in s else ""


def of(name):
    s = shapes[name]
    kind = s["type"]
    if kind == "string":
        if "enum" in s:
            return "enum " + "|".join(ORDER.get(name, s["enum"]))
        pattern = f" {s['pattern']}" if "pattern" in s else ""
        return "string" + span(s) + pattern
    if kind == "list":
        return f"list{span(s)} of {of(s['member']['shape'])}"
    if kind == "map":
        return f"map of {of(s['value']['shape'])}"
    if kind == "structure":
        if name == "HistoryEvent":
            return "any"
        wanted.append(name)
        return name
    return kind + span(s)


def members(name, indent):
    s = shapes[name]
    return [f"{indent}{m}{'*' if m in s.get('required', []) else ''} {of(v['shape'])}" for m, v in s["members"].items()]


lines = [f"# AWS Step Functions, API {model['metadata']['apiVersion']}: made by .ci/operations-table.py from botocore's model."]
for name, op in sorted(model["operations"].items()):
    lines.append(f"operation {name}")
    lines += members(op["input"]["shape"], "  in ")
    lines += members(op["output"]["shape"], "  out ") if "output" in op else []
    lines += ["  error " + " ".join(e["shape"] for e in op.get("errors", []))]
while todo := [w for w in dict.fromkeys(wanted) if w not in done]:
    for name in sorted(todo):
        done.add(name)
        lines.append(f"structure {name}")
        lines += members(name, "  ")
OUT.write_text("\n".join(lines) + "\n")
