#!/usr/bin/env python3
"""A custom runtime, such as `provided` functions bring: does what each event says."""
import http.client
import json
import os
import sys

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
BASE = "/2018-06-01/runtime/"


def call(method, path, body=None):
    api.request(method, BASE + path, body)
    response = api.getresponse()
    return response.status, response.headers, response.read()


if os.environ.get("INIT") == "error":
    body = {"errorType": "Extension.NoConfig", "errorMessage": "no configuration"}
    print(*call("POST", "init/error", json.dumps(body)), file=sys.stderr)
    sys.exit(1)
if os.environ.get("INIT") == "exit":
    sys.exit(0)

while True:
    _, headers, event = call("GET", "invocation/next")
    event = json.loads(event)
    request = "invocation/" + headers["Lambda-Runtime-Aws-Request-Id"]
    match event["do"]:
        case "answer":
            call("POST", request + "/response", event["body"])
        case "error":
            call("POST", request + "/error", event["body"])
        case "headers":
            call("POST", request + "/response", json.dumps(dict(headers)))
        case "environment":
            names = ["_HANDLER", "LAMBDA_TASK_ROOT", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME"]
            call("POST", request + "/response", json.dumps({name: os.environ[name] for name in names}))
        case "where":
            call("POST", request + "/response", json.dumps(os.environ["AWS_LAMBDA_RUNTIME_API"]))
        case "misbehave":
            seen = [call("POST", "invocation/another-id/response", "1")[0]]
            seen.append(call("GET", "invocation/next")[0])
            seen.append(call("POST", "init/error", "{}")[0])
            seen.append(call("GET", "no/such/path")[0])
            call("POST", request + "/response", json.dumps(seen))
            print("again:", call("POST", request + "/response", "2")[0], flush=True)
