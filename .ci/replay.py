#!/usr/bin/env python3
"""How many histories recorded by AWS does `asl replay` replay?

  replay.py [--cases DIR] [--asl CMD] [--keep DIR] [--floor N]

Makes exports, as `get-execution-history` and `describe-execution` give them, of the whole Standard histories in
../shared/conformance, and replays them all. What the recording replaced by placeholders is put back first: names, UUIDs
and instants. Histories whose parallel parts were sorted after the recording are left out. Fails below the floor.
"""
import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
JSON_TEXT = {"input", "output", "parameters"}
INSTANT = "2024-01-01T00:00:00Z"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def python(value):
    return json.dumps(value, ensure_ascii=False)


def uuid(text):
    h = hashlib.md5(text.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:32]}"


def placed(text):
    text = text.replace("arn:<partition>:", "arn:aws:").replace("<region>", "us-east-1")
    text = re.sub(r"<uuid:\d+>", lambda m: uuid(m.group(0)), text)
    return INSTANT if text in ("date", "start-time", "entered-time") else text


def names(case):
    """What each placeholder stood for."""
    back = {rep: rx for rx, rep in case["placeholders"]["normalizers"] if re.fullmatch(r"[\w:/.-]+", rx)}
    back |= {rep: stub for stub, rep in (case.get("bindings") or {}).items()}
    back = {rep.replace("arn:<partition>:", "arn:aws:"): stub for rep, stub in back.items()}
    text = json.dumps(case["definition"]) + json.dumps(case.get("input"))
    resource = re.search(r"arn:(?:aws|<partition>):sns:[^:]*:\d+:([\w-]+)", text) or re.search(r":stateMachine:([\w-]+)", text)
    if resource:
        back["<resource:1>"] = resource.group(1)
    return back | {"<start-time>": INSTANT, "<entered-time>": INSTANT, "generated-uuid": uuid("generated")}


def restore(value, back):
    if isinstance(value, str):
        value = placed(value)
        for rep, name in back.items():
            value = value.replace(rep, name)
        return value
    if isinstance(value, list):
        return [restore(v, back) for v in value]
    if isinstance(value, dict):
        return {placed(k): restore(v, back) for k, v in value.items()}
    return value


def day(case):
    text = case["source"].get("validated") or case["source"].get("recorded") or ""
    if m := re.match(r"(\d\d)-(\d\d)-(\d{4})", text):
        return f"{m.group(3)}-{m.group(2)}-{m.group(1)}"
    return text[:10] or INSTANT[:10]


def events(case):
    back = names(case)
    recorded = case["expected"]["events"]
    # What a function wrote itself has Python's blanks; the recording holds it parsed.
    cause = python if any(e["type"].startswith("Lambda") for e in recorded) else compact
    for event in recorded:
        event = restore(event, back) | {"timestamp": day(case) + "T00:00:00+00:00"}
        for details in (v for k, v in event.items() if k.endswith("EventDetails")):
            for member, value in details.items():
                if member == "assignedVariables":
                    details[member] = {k: v if isinstance(v, str) else compact(v) for k, v in value.items()}
                elif not isinstance(value, str) and member in JSON_TEXT:
                    details[member] = compact(value)
                elif not isinstance(value, str) and member == "cause":
                    details[member] = cause(value)
        given = case.get("input")
        if given is not None and event["id"] == 1:
            event["executionStartedEventDetails"]["input"] = python(given)
        if given is not None and event["id"] == 2 and "stateEnteredEventDetails" in event:
            event["stateEnteredEventDetails"]["input"] = compact(given)
        yield event


def export(case, folder):
    folder.mkdir(parents=True)
    definition = case["definition"]
    text = placed(definition if isinstance(definition, str) else json.dumps(definition, ensure_ascii=False))
    machine, name = case["names"]["state_machine"] or "machine", case["names"]["execution"] or "exec-1"
    arn = "arn:aws:states:us-east-1:111111111111:"
    described = {"executionArn": f"{arn}execution:{machine}:{name}", "stateMachineArn": f"{arn}stateMachine:{machine}"}
    (folder / "it.asl.json").write_text(text)
    (folder / "it.execution.json").write_text(json.dumps(described))
    (folder / "it.json").write_text(json.dumps({"events": list(events(case))}))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cases", type=pathlib.Path, default=ROOT / ".." / "shared" / "conformance")
    ap.add_argument("--asl", default=str(ROOT / "target" / "release" / "asl"))
    ap.add_argument("--keep", type=pathlib.Path, help="keep the exports in this new folder")
    ap.add_argument("--floor", type=int, default=0)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = args.keep or pathlib.Path(scratch)
        ids = {}
        for file in sorted((args.cases / "cases").glob("*.jsonl")):
            for case in map(json.loads, file.open()):
                whole = case["kind"] == "execution" and case["expected"].get("events") and case["type"] != "EXPRESS"
                if whole and "recorded-sorted" not in (case.get("nondeterministic") or []):
                    folder = out / f"{len(ids):04}"
                    ids[str(folder / "it.json")] = case["id"]
                    export(case, folder)
        folders = [str(pathlib.Path(file).parent) for file in ids]
        done = subprocess.run([args.asl, "replay", "--json", *folders], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    same = 0
    for item in map(json.loads, done.stdout.splitlines()):
        same += item["verdict"] == "SAME"
        if item["verdict"] != "SAME":
            what = item.get("reason") or f"event {item['event']}: {compact(item['differences'])[:300]}"
            print(f"{ids[item['execution']]}\n    {what}")
    if not same:
        sys.exit(f"replay: nothing was replayed (status {done.returncode}):\n{done.stderr[-2000:]}")
    print(f"{same} of {len(ids)} histories replay without a difference")
    if same < args.floor:
        sys.exit(f"replay: fewer than {args.floor}")


if __name__ == "__main__":
    main()
