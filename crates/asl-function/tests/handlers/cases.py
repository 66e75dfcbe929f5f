"""Handlers of one line each; the tests name the one they want."""
import decimal
import logging
import os
import signal
import subprocess
import sys
import threading
import time

calls = 0


class PaymentAuthException(Exception):
    pass


def echo(event, context):
    return event


def counting(event, context):
    global calls
    calls += 1
    return {"calls": calls, "pid": os.getpid()}


def describe_context(event, context):
    return {
        "aws_request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "custom": context.client_context and context.client_context.custom,
        "environment": {name: os.environ.get(name) for name in event},
        "cwd": os.getcwd(),
    }


def decimals(event, context):
    return {"price": decimal.Decimal("12.50"), "many": [decimal.Decimal("1E+2")]}


def nothing(event, context):
    pass


def raises(event, context):
    inner(event["customerId"])


def inner(customer):
    raise PaymentAuthException(f"not authorised: {customer}")


def named_in_two_lines(event, context):
    raise type("One\r\nTwo: \x7f é", (Exception,), {})("why")


def wrong_signature(event):
    return event


def no_message(event, context):
    raise KeyError


def a_set(event, context):
    return {1, 2}


def not_a_number(event, context):
    return float("nan")


def raw_bytes(event, context):
    return b"just text"


def large(event, context):
    return "x" * event


def exits(event, context):
    print("about to exit", flush=True)
    sys.exit(event)


def kills_itself(event, context):
    os.kill(os.getpid(), getattr(signal, event))


def sleeps(event, context):
    print("falling asleep")
    time.sleep(event)
    return "awake"


def loops(event, context):
    print(os.getpid())
    while True:
        pass


def starts_a_child(event, context):
    child = subprocess.Popen(["sleep", "1000"])
    print(child.pid)
    time.sleep(1000)


def dies_afterwards(event, context):
    threading.Timer(0.02, lambda: os._exit(3)).start()
    return os.getpid()


def prints(event, context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    logging.getLogger().setLevel(logging.INFO)
    logging.info("by logging")
    print("ünïcode ✓")
    print("x" * event["long"])
    print("no line end", end="")


def floods(event, context):
    for number in range(event):
        print(number)
    return "done"


def reads_stdin(event, context):
    return sys.stdin.read()


def meets(event, context):
    """Answers only when somebody else makes the file it waits for."""
    open(event["mine"], "w").close()
    while not os.path.exists(event["other"]):
        time.sleep(0.005)
    return "met"


def where(event, context):
    return os.environ["AWS_LAMBDA_RUNTIME_API"]
