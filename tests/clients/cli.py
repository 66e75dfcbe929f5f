"""Each operation of the API at least once, as the AWS CLI calls them: cli.py URL AWS."""
import json
import os
import subprocess
import sys
import time

url, aws = sys.argv[1:]
env = {**os.environ, "AWS_ENDPOINT_URL": url, "AWS_DISABLE_HOST_PREFIX_INJECTION": "true", "AWS_DEFAULT_REGION": "us-east-1",
       "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "key", "AWS_PAGER": "", "AWS_CONFIG_FILE": os.devnull}
called = set()


def run(service, operation, **options):
    words = [word for name, value in options.items()
             for word in ("--" + name.replace("_", "-"), value if isinstance(value, str) else json.dumps(value))]
    called.add(operation)
    return subprocess.run([aws, service, operation, *words, "--output", "json"], env=env, capture_output=True, text=True)


def sfn(operation, **options):
    done = run("stepfunctions", operation, **options)
    assert done.returncode == 0, (operation, done.stderr)
    return json.loads(done.stdout) if done.stdout.strip() else {}


def refused(code, operation, **options):
    done = run("stepfunctions", operation, **options)
    assert done.returncode != 0 and f"({code})" in done.stderr, (operation, done.stdout, done.stderr)


def ended(arn):
    for _ in range(50):
        told = sfn("describe-execution", execution_arn=arn)
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.02)
    raise AssertionError(f"{arn} has not ended")


ROLE = "arn:aws:iam::000000000000:role/r"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
WAIT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3600, "End": True}}})

assert sfn("validate-state-machine-definition", definition=PASS)["result"] == "OK"
arn = sfn("create-state-machine", name="m", definition=PASS, role_arn=ROLE)["stateMachineArn"]
refused("StateMachineAlreadyExists", "create-state-machine", name="m", definition=WAIT, role_arn=ROLE)
assert sfn("describe-state-machine", state_machine_arn=arn)["status"] == "ACTIVE"
assert sfn("list-state-machines")["stateMachines"][0]["name"] == "m"
version = sfn("publish-state-machine-version", state_machine_arn=arn)["stateMachineVersionArn"]
sfn("update-state-machine", state_machine_arn=arn, definition=WAIT)
assert len(sfn("list-state-machine-versions", state_machine_arn=arn)["stateMachineVersions"]) == 1
alias = sfn("create-state-machine-alias", name="prod",
            routing_configuration=[{"stateMachineVersionArn": version, "weight": 100}])["stateMachineAliasArn"]
sfn("update-state-machine-alias", state_machine_alias_arn=alias, description="of the CLI")
assert sfn("describe-state-machine-alias", state_machine_alias_arn=alias)["description"] == "of the CLI"
assert len(sfn("list-state-machine-aliases", state_machine_arn=arn)["stateMachineAliases"]) == 1
sfn("tag-resource", resource_arn=arn, tags=[{"key": "a", "value": "b"}])
assert sfn("list-tags-for-resource", resource_arn=arn)["tags"] == [{"key": "a", "value": "b"}]
sfn("untag-resource", resource_arn=arn, tag_keys=["a"])

one = sfn("start-execution", state_machine_arn=alias, input='{"a": 1}')["executionArn"]
assert json.loads(ended(one)["output"]) == {"a": 1}
assert len(sfn("get-execution-history", execution_arn=one, page_size="2")["events"]) == 4
assert sfn("describe-state-machine-for-execution", execution_arn=one)["definition"] == PASS
waits = sfn("start-execution", state_machine_arn=arn)["executionArn"]
sfn("stop-execution", execution_arn=waits, error="Enough")
sfn("redrive-execution", execution_arn=waits)
assert sfn("describe-execution", execution_arn=waits)["redriveCount"] == 1
sfn("stop-execution", execution_arn=waits)
assert len(sfn("list-executions", state_machine_arn=arn)["executions"]) == 2
refused("ExecutionDoesNotExist", "describe-execution", execution_arn=one + "x")

# An activity: its worker answers with the task's token.
activity = sfn("create-activity", name="a")["activityArn"]
assert sfn("describe-activity", activity_arn=activity)["name"] == "a"
assert len(sfn("list-activities")["activities"]) == 1
asks = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 600, "End": True}}})
asks = sfn("create-state-machine", name="asks", definition=asks, role_arn=ROLE)["stateMachineArn"]


def task():
    execution = sfn("start-execution", state_machine_arn=asks, input="[7]")["executionArn"]
    given = sfn("get-activity-task", activity_arn=activity, worker_name="w")
    assert json.loads(given["input"]) == [7], given
    return execution, given["taskToken"]


execution, token = task()
sfn("send-task-heartbeat", task_token=token)
sfn("send-task-success", task_token=token, task_output='{"done": true}')
assert json.loads(ended(execution)["output"]) == {"done": True}
execution, token = task()
sfn("send-task-failure", task_token=token, error="E", cause="c")
assert ended(execution)["status"] == "FAILED"
sfn("delete-activity", activity_arn=activity)

processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **json.loads(PASS)}
maps = json.dumps({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}})
maps = sfn("create-state-machine", name="maps", definition=maps, role_arn=ROLE)["stateMachineArn"]
execution = sfn("start-execution", state_machine_arn=maps, input="[1,2]")["executionArn"]
ended(execution)
run_arn = sfn("list-map-runs", execution_arn=execution)["mapRuns"][0]["mapRunArn"]
assert sfn("describe-map-run", map_run_arn=run_arn)["itemCounts"]["succeeded"] == 2
refused("ValidationException", "update-map-run", map_run_arn=run_arn, max_concurrency="1")

tested = sfn("test-state", definition=json.dumps({"Type": "Pass", "Result": 7, "End": True}), role_arn=ROLE)
assert (tested["status"], tested["output"]) == ("SUCCEEDED", "7")
express = sfn("create-state-machine", name="x", definition=PASS, role_arn=ROLE, type="EXPRESS")["stateMachineArn"]
assert sfn("start-sync-execution", state_machine_arn=express, input="[1]")["output"] == "[1]"

sfn("delete-state-machine-alias", state_machine_alias_arn=alias)
sfn("delete-state-machine-version", state_machine_version_arn=version)
sfn("delete-state-machine", state_machine_arn=arn)
print(f"{len(called)} operations")
