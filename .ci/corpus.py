#!/usr/bin/env python3
"""Public state machines by their shapes: each is checked, drawn in 80 columns and run, with nothing but mocks.

    .ci/corpus.py target/debug/asl ../shared/corpus/shapes.jsonl

Each line of the file is a definition whose tasks call a function F. `check` has to find no error; `graph` has to draw it, or list it where no
drawing fits, without a line of more than 80 columns in a drawing; `run --skip-time` has to come to an end, in time and without a
panic: the input is made up, so an execution may well fail by a rule of the language. What is wrong is printed, with the line's number.
"""
import fcntl, json, os, struct, subprocess, sys, tempfile, termios
from concurrent.futures import ThreadPoolExecutor

ASL, SHAPES = os.path.abspath(sys.argv[1]), sys.argv[2]
SECONDS = 60
COLUMNS = 80
# Codes of a command that did what it was asked: an execution may fail.
ENDED = {0, 1}


def names_of_tasks(machine):
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name
        for inner in [*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")]:
            if inner:
                yield from names_of_tasks(inner)


def call(folder, *args):
    """Exit code, stdout and stderr; no code when it took too long."""
    try:
        ran = subprocess.run([ASL, *args], cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, "", f"no end within {SECONDS} s"
    return ran.returncode, ran.stdout, ran.stderr


def drawing(folder):
    """What `asl graph` shows on a terminal of 80 columns."""
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    args = [ASL, "graph", "--color", "never", "m.asl.json"]
    with subprocess.Popen(args, cwd=folder, stdout=side, stderr=subprocess.PIPE) as ran:
        os.close(side)
        out = b""
        while True:
            try:
                piece = os.read(main, 65536)
            except OSError:  # Linux: the other side is closed.
                break
            if not piece:
                break
            out += piece
        err = ran.stderr.read()
    os.close(main)
    return ran.returncode, out.decode().replace("\r\n", "\n"), err.decode()


def judge(numbered):
    number, text = numbered
    machine = json.loads(text)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/m.asl.json", "w") as file:
            file.write(text)
        with open(f"{folder}/asl.toml", "w") as file:
            file.write('[functions.F]\nCommand = ["cat"]\n')
        answers = {name: "Answer" for name in names_of_tasks(machine)}
        mocks = {
            "StateMachines": {"m": {"TestCases": {"All": answers}}},
            "MockedResponses": {"Answer": {"0-9999": {"Return": {"Payload": {"ok": True}, "ok": True}}}},
        }
        with open(f"{folder}/mocks.json", "w") as file:
            json.dump(mocks, file)
        faults, drawn = [], False
        code, out, err = call(folder, "check", "m.asl.json")
        if code != 0:
            faults.append(f"check ends with {code}: {(out + err)[:400]}")
        code, out, err = drawing(folder)
        drawn = "│" in out or "┌" in out
        if code != 0 or not out.strip():
            faults.append(f"graph ends with {code}: {err[:400]}")
        elif drawn and max(map(len, out.splitlines())) > COLUMNS:
            faults.append("the drawing has lines of more than 80 columns")
        mock = ["--mock", "mocks.json#All"] if answers else []
        code, out, err = call(folder, "run", "m.asl.json", "--skip-time", "-q", *mock)
        if code not in ENDED or "panicked" in err:
            faults.append(f"run ends with {code}: {err[:400]}")
        return number, drawn, faults


def main():
    with open(SHAPES) as file:
        numbered = list(enumerate(filter(str.strip, file), 1))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = list(pool.map(judge, numbered))
    for number, _, faults in judged:
        for fault in faults:
            print(f"line {number}: {fault}")
    wrong = sum(1 for _, _, faults in judged if faults)
    drawn = sum(1 for _, drawn, _ in judged if drawn)
    print(f"{len(judged)} state machines: {len(judged) - wrong} check, draw and run; {drawn} drawn, the others listed")
    sys.exit(1 if wrong else 0)


main()
