#!/bin/sh
# Fills corpus/ from what the project has anyway: its definitions, the cases of its tests, and the texts inside of them.
set -eu
cd "$(dirname "$0")"
exec python3 - <<'PYTHON'
import hashlib, json, pathlib, re

ROOT, CORPUS = pathlib.Path(".."), pathlib.Path("corpus")
LIMIT = 4096


def seed(target, *parts):
    data = "\n".join(parts).encode()
    if len(data) <= LIMIT:
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("seed-" + hashlib.sha1(data).hexdigest()[:16])).write_bytes(data)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def walk(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def definition(value, text):
    seed("definition_json", text)
    for answers in ("", "\x00\x18 0@", "abcdefgh", "\x05\x0a\x04\x0b\x09"):
        seed("machine", answers, text)


def texts(value):
    """Expressions, templates and definitions wherever they are."""
    for part in walk(value):
        if isinstance(part, str):
            if part.startswith("$") or part.startswith("@"):
                seed("path", part, "")
            if part.startswith("{%") and part.endswith("%}"):
                seed("jsonata", part[2:-2].strip(), "")
            if part.startswith("$") or part.startswith("States."):
                seed("expression", part, "")
            if re.match(r"\d{4}-\d\d-\d\dT", part):
                seed("timestamp", part)
        elif isinstance(part, dict):
            if any(key.endswith(".$") for key in part):
                seed("expression", "$", compact(part))
            for key, wanted in part.items():
                if key == "StringMatches" and isinstance(wanted, str):
                    seed("string_matches", wanted, wanted.replace("*", "x"))
            if "StartAt" in part and "States" in part:
                definition(part, compact(part))
            if "InputType" in part:
                for body in ("a,b\n1,2\n", 'a|"b""c"\n\\,|x\n', "[1,{}]", '{"a":[[1]]}', '{"a":1}\n\n2\n'):
                    seed("items", compact(part), body)
            for key in ("path", "call", "template"):
                if key in part:
                    target = "path" if key == "path" else "expression"
                    seed(target, part[key] if isinstance(part[key], str) else compact(part[key]), "")
            expressions(part)
            if isinstance(part.get("example"), str):
                seed("jsonata", part["example"], "")
            if isinstance(part.get("spec"), dict):
                seed("project_file", toml(part["spec"]))


def expressions(part):
    names = ("UpdateExpression", "ConditionExpression", "ProjectionExpression")
    found = [part[name] if isinstance(part.get(name), str) else "" for name in names]
    for name in ("FilterExpression", "KeyConditionExpression", "condition", "update", "projection"):
        if isinstance(part.get(name), str):
            found[0 if name == "update" else 2 if name == "projection" else 1] = part[name]
    item = part.get("Item", part.get("item", {}))
    values = part.get("ExpressionAttributeValues", part.get("values", {}))
    if any(found) or item:
        seed("table_expression", *found, compact(item), compact(values))


def toml(spec):
    return "\n".join(f"{kind}.{compact(name)} = {inline(of)}" for kind, all in spec.items() if isinstance(all, dict)
                     for name, of in all.items())


def inline(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{compact(k)} = {inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return compact(value)


def yaml(value, indent=0):
    """Block style for what is not empty."""
    pad = "\n" + " " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{compact(k)}: {yaml(v, indent + 2)}" for k, v in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{pad}- {yaml(v, indent + 2)}" for v in value)
    return compact(value)


for file in ROOT.glob("fixtures/histories/*.jsonl"):
    seed("history", "", file.read_text())
HISTORY = [("ExecutionStarted", {"input": "{}", "roleArn": "r"}), ("PassStateEntered", {"name": "A", "input": "{}"}),
           ("PassStateExited", {"name": "A", "output": "{}"}), ("ExecutionSucceeded", {"output": "{}"})]
KEYS = {"PassStateEntered": "stateEntered", "PassStateExited": "stateExited"}
seed("history", compact({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}), compact({"events": [
    {"timestamp": at, "type": kind, "id": at, "previousEventId": at - 1 if at > 2 else 0,
     KEYS.get(kind, kind[0].lower() + kind[1:]) + "EventDetails": details}
    for at, (kind, details) in enumerate(HISTORY, 1)]}))

for file in [*ROOT.glob("definitions/**/*.json"), *ROOT.glob("fixtures/**/*.json"), *ROOT.glob("crates/*/tests/**/*.json")]:
    text = file.read_text()
    seed("json", text)
    if file.name.endswith(".asl.json"):
        definition(None, text)
    try:
        value = json.loads(text)
    except ValueError:
        continue
    texts(value)
    for part in walk(value):
        if isinstance(part, (dict, list)) and part:
            seed("json", compact(part))
        if isinstance(part, dict) and "StartAt" in part:
            seed("definition_yaml", yaml(part))
for name in ("jsonata_words.jsonl", "jsonata_hostile.json"):
    text = (ROOT / "crates/asl-expr/tests" / name).read_text()
    for row in json.loads(text) if name.endswith(".json") else map(json.loads, text.splitlines()):
        seed("jsonata", row[0].replace("\n", " "), "")
for file in ROOT.glob("**/*.asl.yaml"):
    seed("definition_yaml", file.read_text())
for file in ROOT.glob("tests/sam/templates/*.*"):
    seed("template", file.read_text())
for file in ROOT.glob("definitions/**/asl.toml"):
    seed("project_file", file.read_text())
for body in ("h\n1\n", 'a,b\n"x\ny",2\r\n3\n', "1\n2\n", '{"a":[[1]]}'):
    for choice in range(5):
        seed("items", chr(choice), body)
for pattern, text in (("log-*.txt", "log-1.txt"), ("a*b*", "aXbb"), ("\\*\\\\", "*\\"), ("*", ""), ("", "é")):
    seed("string_matches", pattern, text)
for text in ("2016-03-14T01:59:00.123456789+18:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-18:00", "\0" * 16):
    seed("timestamp", text)
GOLDEN = (ROOT / "crates/asl-aws/tests/golden.jsonl").read_text().splitlines()
for row in map(json.loads, GOLDEN):
    for choice in range(10):
        seed("aws_response", chr(choice) + "\0" + row["response"]["body"].get("text", ""))
for folder in sorted(CORPUS.iterdir()):
    print(f"{folder.name}: {len(list(folder.iterdir()))}")
PYTHON
