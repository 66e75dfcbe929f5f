"""Each operation of the API at least once, and each paginator, as boto3 calls them: operations.py URL."""
import json
import sys
import time

import boto3
from botocore.config import Config

url = sys.argv[1]
sfn = boto3.client(
    "stepfunctions", endpoint_url=url, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="key",
    config=Config(inject_host_prefix=False, retries={"max_attempts": 2}, read_timeout=70),
)
called = set()
sfn.meta.events.register("before-call.stepfunctions.*", lambda model, **_: called.add(model.name))
ROLE = "arn:aws:iam::000000000000:role/r"


def definition(**states):
    return json.dumps({"StartAt": next(iter(states)), "States": states})


def ended(arn):
    for _ in range(500):
        told = sfn.describe_execution(executionArn=arn)
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.02)
    raise AssertionError(f"{arn} has not ended")


def refused(code, call, **params):
    try:
        call(**params)
    except sfn.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        named = getattr(sfn.exceptions, code, None)
        assert named is None or isinstance(error, named), error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


PASS = definition(A={"Type": "Pass", "End": True})
WAIT = definition(A={"Type": "Wait", "Seconds": 3600, "End": True})
TOKEN = definition(A={
    "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True, "HeartbeatSeconds": 600,
    "Parameters": {"QueueUrl": "Jobs", "MessageBody": {"token.$": "$$.Task.Token"}}})

# State machines, versions, aliases, tags.
assert sfn.validate_state_machine_definition(definition=PASS)["result"] == "OK"
assert sfn.validate_state_machine_definition(definition="{}")["diagnostics"][0]["code"] == "SCHEMA_VALIDATION_FAILED"
made = sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE, publish=True, tags=[{"key": "a", "value": "b"}])
arn, version = made["stateMachineArn"], made["stateMachineVersionArn"]
refused("StateMachineDoesNotExist", sfn.describe_state_machine, stateMachineArn=arn + "x")
assert sfn.describe_state_machine(stateMachineArn=arn)["status"] == "ACTIVE"
revision = sfn.update_state_machine(stateMachineArn=arn, definition=WAIT)["revisionId"]
second = sfn.publish_state_machine_version(stateMachineArn=arn, revisionId=revision)["stateMachineVersionArn"]
assert [v["stateMachineVersionArn"] for v in sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]] == [second, version]
both = [{"stateMachineVersionArn": version, "weight": 90}, {"stateMachineVersionArn": second, "weight": 10}]
alias = sfn.create_state_machine_alias(name="prod", routingConfiguration=both)["stateMachineAliasArn"]
sfn.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}])
assert sfn.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"][0]["weight"] == 100
assert len(sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]) == 1
refused("ConflictException", sfn.delete_state_machine_version, stateMachineVersionArn=version)
sfn.delete_state_machine_version(stateMachineVersionArn=second)
sfn.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "d"}])
sfn.untag_resource(resourceArn=arn, tagKeys=["a"])
assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "c", "value": "d"}]

# Executions.
started = sfn.start_execution(stateMachineArn=alias, name="one", input='{"a": 1}', traceHeader="Root=1")
told = ended(started["executionArn"])
assert (told["status"], told["input"], told["output"]) == ("SUCCEEDED", '{"a": 1}', '{"a":1}')
assert (told["stateMachineAliasArn"], told["traceHeader"]) == (alias, "Root=1")
assert told["startDate"] == started["startDate"]
assert sfn.describe_state_machine_for_execution(executionArn=started["executionArn"])["definition"] == PASS
waits = sfn.start_execution(stateMachineArn=arn)["executionArn"]
sfn.stop_execution(executionArn=waits, error="Enough", cause="of it")
assert ended(waits)["error"] == "Enough"
sfn.redrive_execution(executionArn=waits, clientToken="t")
assert sfn.describe_execution(executionArn=waits)["redriveCount"] == 1
sfn.stop_execution(executionArn=waits)
refused("ExecutionAlreadyExists", sfn.start_execution, stateMachineArn=arn, name="one")
refused("InvalidExecutionInput", sfn.start_execution, stateMachineArn=arn, input="{")
for number in range(5):
    sfn.start_execution(stateMachineArn=version, name=f"many-{number}")

# Task tokens: the message of a queue has them, and the message of the history's parameters too.
machine = sfn.create_state_machine(name="token", definition=TOKEN, roleArn=ROLE)["stateMachineArn"]


def token():
    execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    for _ in range(500):
        for event in sfn.get_execution_history(executionArn=execution)["events"]:
            if event["type"] == "TaskSubmitted":
                scheduled = sfn.get_execution_history(executionArn=execution)["events"][2]
                body = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["MessageBody"]
                return execution, body["token"]
        time.sleep(0.02)
    raise AssertionError("the task is not submitted")


execution, answer = token()
sfn.send_task_heartbeat(taskToken=answer)
sfn.send_task_success(taskToken=answer, output='{"b":2}')
assert ended(execution)["output"] == '{"b":2}'
refused("TaskTimedOut", sfn.send_task_success, taskToken=answer, output="{}")
execution, answer = token()
sfn.send_task_failure(taskToken=answer, error="E", cause="c")
assert ended(execution)["status"] == "FAILED"
refused("InvalidToken", sfn.send_task_heartbeat, taskToken="x")

# Map runs.
processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **json.loads(PASS)}
machine = sfn.create_state_machine(
    name="map", definition=definition(M={"Type": "Map", "ItemProcessor": processor, "End": True}), roleArn=ROLE)["stateMachineArn"]
execution = sfn.start_execution(stateMachineArn=machine, input="[1,2,3]")["executionArn"]
ended(execution)
run = sfn.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
assert sfn.describe_map_run(mapRunArn=run)["executionCounts"]["succeeded"] == 3
refused("ValidationException", sfn.update_map_run, mapRunArn=run, maxConcurrency=1)
assert len(sfn.list_executions(mapRunArn=run)["executions"]) == 3

# Express, and states alone.
express = sfn.create_state_machine(name="x", definition=PASS, roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
done = sfn.start_sync_execution(stateMachineArn=express, input="[1]")
assert (done["status"], done["output"], done["billingDetails"]["billedMemoryUsedInMB"]) == ("SUCCEEDED", "[1]", 64)
assert sfn.start_execution(stateMachineArn=express)["executionArn"].split(":")[5] == "express"
tested = sfn.test_state(definition=json.dumps({"Type": "Pass", "Result": 7, "Next": "B"}), inspectionLevel="DEBUG")
assert (tested["output"], tested["nextState"]) == ("7", "B")

# Activities.
activity = sfn.create_activity(name="a")["activityArn"]
assert sfn.describe_activity(activityArn=activity)["name"] == "a"
assert sfn.list_activities()["activities"][0]["activityArn"] == activity
sfn.delete_activity(activityArn=activity)
refused("ActivityDoesNotExist", sfn.get_activity_task, activityArn=activity, workerName="w")

# Paginators.
pages = {
    "list_executions": ({"stateMachineArn": version}, "executions", 6),
    "list_state_machines": ({}, "stateMachines", 4),
    "get_execution_history": ({"executionArn": started["executionArn"]}, "events", 4),
    "list_activities": ({}, "activities", 0),
    "list_map_runs": ({"executionArn": execution}, "mapRuns", 1),
}
for name, (params, member, count) in pages.items():
    rows = [row for page in sfn.get_paginator(name).paginate(**params, PaginationConfig={"PageSize": 2}) for row in page[member]]
    assert len(rows) == count, (name, len(rows))

sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
sfn.delete_state_machine(stateMachineArn=arn)
missing = set(sfn.meta.service_model.operation_names) - called
assert not missing, missing
print(f"{len(called)} operations")
