"""Runs one ordinary Lambda handler: the Python end of the AWS Lambda Runtime API.

Needs nothing but python3. Error names, messages and the context object are those of
AWS's own runtime interface client; the HTTP is a few lines over one socket, because
importing http.client alone costs more than everything else here.
"""
import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback

THIS_FILE = __file__ if "__file__" in globals() else "<string>"


class Fault(Exception):
    """A failure that AWS names itself (Runtime.*), not the handler's own exception."""

    def __init__(self, name, message, trace=None):
        super().__init__(message)
        self.name, self.message, self.trace = name, message, trace


class RuntimeApi:
    """The Runtime API over one keep-alive connection."""

    def __init__(self, address):
        address, slash, secret = address.partition("/")
        host, port = address.rsplit(":", 1)
        self.address, self.root = address, slash + secret
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def request(self, method, path, body=b"", content_type="application/json", error_type=None):
        head = (
            f"{method} {self.root}/2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {self.address}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        )
        if error_type:
            # A header is one line of ASCII; the whole name is in the body.
            name = "".join(c if " " <= c <= "~" else "?" for c in error_type)
            head += f"Lambda-Runtime-Function-Error-Type: {name}\r\n"
        return head.encode("latin-1") + b"\r\n" + body

    def call(self, *requests):
        """Sends the requests in one go, for each trip to the engine takes time; gives the last one's answer."""
        try:
            self.socket.sendall(b"".join(requests))
            for _ in requests:
                answer = self.read_answer()
            return answer
        except OSError:
            # The engine is gone, and with it everybody who could want an answer.
            sys.exit(0)

    def read_answer(self):
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.receive()
        headers = {}
        for line in self.buffer[:end].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        start = end + 4
        end = start + int(headers.get("content-length", 0))
        while len(self.buffer) < end:
            self.receive()
        body = bytes(self.buffer[start:end])
        del self.buffer[:end]
        return headers, body

    def receive(self):
        received = self.socket.recv(65536)
        if not received:
            sys.exit(0)
        self.buffer += received


class Fields:
    """An object that has the given attributes, None where the values have none."""

    def __init__(self, names, values):
        for name in names:
            setattr(self, name, values.get(name))


ENVIRONMENT = {
    "log_group_name": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
    "log_stream_name": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
    "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
    "memory_limit_in_mb": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
}


class LambdaContext:
    """The handler's second argument, attribute for attribute as on AWS."""

    def __init__(self, headers):
        self.__dict__.update(ENVIRONMENT)
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.client_context = client_context(headers.get("lambda-runtime-client-context"))
        self.identity = Fields(("cognito_identity_id", "cognito_identity_pool_id"), {})
        self.tenant_id = None
        self._deadline_ms = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


def client_context(text):
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError as error:
        message = f"Unable to parse Client Context JSON: {error}"
        raise Fault("Runtime.LambdaContextUnmarshalError", message) from None
    context = Fields(("custom", "env", "client"), values)
    if context.client is not None:
        names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
        context.client = Fields(names, context.client)
    return context


def load_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {reason}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        tell_of_requirements()
        raise Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message) from None


def tell_of_requirements():
    """What a function needs is installed by hand; the command is the answer to most failed imports."""
    root = os.environ["LAMBDA_TASK_ROOT"]
    if os.path.isfile(os.path.join(root, "requirements.txt")) and "VIRTUAL_ENV" not in os.environ:
        sys.stderr.write(
            f"[HINT] requirements.txt is not installed: python3 -m venv {root}/.venv && "
            f"{root}/.venv/bin/pip install -r {root}/requirements.txt\n"
        )


def encode(value):
    """The handler's result as JSON; a Decimal is written as the number it is, as on AWS."""
    decimals = []
    mark = ""

    def other(item):
        nonlocal mark
        if type(item).__name__ != "Decimal" or "decimal" not in sys.modules:
            raise TypeError(f"Object of type {type(item).__name__} is not JSON serializable")
        if item.is_nan():
            return float("nan")
        mark = mark or f"decimal-{os.urandom(8).hex()}-"
        decimals.append(str(item))
        return f"{mark}{len(decimals) - 1}"

    text = json.dumps(value, default=other)
    if decimals:
        import re

        text = re.sub(f'"{mark}(\\d+)"', lambda found: decimals[int(found[1])], text)
    return text.encode()


def respond(handler, event_text, headers):
    """Runs the handler once: the body to answer with and its content type."""
    context = LambdaContext(headers)
    try:
        event = json.loads(event_text)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return encode(result), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def describe(error, request_id=""):
    """An exception as the JSON object Lambda makes of it, without this file's own frames."""
    if isinstance(error, Fault):
        name, message, trace = error.name, error.message, error.trace or []
    else:
        frames = traceback.extract_tb(error.__traceback__)
        while frames and frames[0].filename == THIS_FILE:
            del frames[0]
        name, message, trace = type(error).__name__, str(error), traceback.format_list(frames)
    return {"errorMessage": message, "errorType": name, "requestId": request_id, "stackTrace": trace}


def report(error):
    lines = [f"[ERROR] {error['errorType']}: {error['errorMessage']}\n"]
    if error["stackTrace"]:
        lines += ["Traceback (most recent call last):\n", *error["stackTrace"]]
    sys.stderr.write("".join(lines))


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def set_up_logging(state):
    """AWS installs a handler on the root logger before it loads the user's module."""

    class RequestId(logging.Filter):
        def filter(self, record):
            record.aws_request_id = state.get("request_id", "")
            return True

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(message)s"))
    handler.addFilter(RequestId())
    logging.getLogger().addHandler(handler)


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    os.environ.setdefault("AWS_EXECUTION_ENV", "AWS_Lambda_python%d.%d" % sys.version_info[:2])
    if sys.path[:1] == [""]:
        del sys.path[0]
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    state = {}
    set_up_logging(state)
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        failure = describe(error)
        report(failure)
        flush()
        body = json.dumps(failure).encode()
        api.call(api.request("POST", "init/error", body, error_type=failure["errorType"]))
        sys.exit(1)
    ask_for_work = api.request("GET", "invocation/next")
    headers, event_text = api.call(ask_for_work)
    while True:
        request_id = state["request_id"] = headers.get("lambda-runtime-aws-request-id")
        if request_id is None:
            sys.exit(1)
        if trace_id := headers.get("lambda-runtime-trace-id"):
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        try:
            body, content_type = respond(handler, event_text, headers)
        except Exception as error:
            failure = describe(error, request_id)
            error = None  # Or its traceback keeps the handler's variables alive.
            report(failure)
            flush()
            body = json.dumps(failure).encode()
            answer = api.request("POST", f"invocation/{request_id}/error", body, error_type=failure["errorType"])
        else:
            flush()
            answer = api.request("POST", f"invocation/{request_id}/response", body, content_type)
        headers, event_text = api.call(answer, ask_for_work)


main()
