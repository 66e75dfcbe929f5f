#!/usr/bin/env python3
"""The conformance floors: how many recorded cases must pass, by kind, group and level.

  conformance.py [--raise] [--cases DIR] [--engine CMD]

Runs check.py of ../shared/conformance with the release build of asl-conformance and compares what passed with
floors.json. Fails when anything is below its floor; --raise lifts the floors to what passes now and never lowers one.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

CI = pathlib.Path(__file__).resolve().parent
ROOT = CI.parent
FLOORS = CI / "floors.json"
ROW = re.compile(r"^(\w+:\w+)\s+(\d+)/(\d+)\s+(\d+)/(\d+)\s+(\d+)/(\d+)\s*$")


def passed(cases, engine):
    """{group: [(passed, of) for L1, L2, L3]} of the checker's table"""
    command = [sys.executable, str(cases / "check.py"), str(cases / "cases"), "--batch", "--engine", engine]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    rows = {}
    for line in done.stdout.splitlines():
        if m := ROW.match(line):
            numbers = [int(n) for n in m.groups()[1:]]
            rows[m.group(1)] = list(zip(numbers[::2], numbers[1::2]))
    if not rows:
        sys.exit(f"conformance: the checker gave no table (status {done.returncode}):\n{done.stdout[-2000:]}")
    return rows


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--raise", dest="lift", action="store_true", help="lift the floors to what passes now")
    ap.add_argument("--cases", type=pathlib.Path, default=ROOT / ".." / "shared" / "conformance")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    ap.add_argument("--engine", default=str(target / "release" / "asl-conformance"))
    a = ap.parse_args()
    if not a.cases.is_dir():
        print(f"conformance: skipped, there is no {a.cases}")
        return
    rows = passed(a.cases, a.engine)
    floors = json.loads(FLOORS.read_text()) if FLOORS.exists() else {}
    below = []
    print(f"{'kind:group':32} {'L1':>9} {'L2':>9} {'L3':>9}")
    for group, levels in sorted(rows.items()):
        floor = floors.get(group, [0, 0, 0])
        cells = []
        for level, ((is_, of), least) in enumerate(zip(levels, floor), 1):
            cells.append(f"{is_}/{of}" if of else "-")
            if is_ < least:
                below.append(f"{group} L{level}: {is_} pass, the floor is {least}")
        if any(floor) or any(is_ for is_, _ in levels):
            print(f"{group:32} " + " ".join(f"{cell:>9}" for cell in cells))
    below += [f"{group}: the checker has no such group" for group in floors if group not in rows]
    if a.lift:
        old = floors
        lifted = {g: [max(n, f) for (n, _), f in zip(levels, old.get(g, [0, 0, 0]))] for g, levels in sorted(rows.items())}
        lines = [f"  {json.dumps(g)}: {json.dumps(f)}" for g, f in lifted.items() if any(f)]
        FLOORS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for line in below:
        print(f"below the floor: {line}")
    sys.exit(1 if below else 0)


if __name__ == "__main__":
    main()
