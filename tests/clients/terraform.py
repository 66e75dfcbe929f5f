"""The calls that Terraform's provider makes for a state machine, an alias and an activity: apply, plan without a difference, change,
destroy; twice. terraform.py URL"""
import json
import sys
import time

import boto3

where = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="key")
sfn, sts = boto3.client("stepfunctions", **where), boto3.client("sts", **where)
CONFIGURATION = {
    "loggingConfiguration": {
        "level": "ERROR", "includeExecutionData": True,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}]},
    "tracingConfiguration": {"enabled": True},
    "encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/k", "kmsDataKeyReusePeriodSeconds": 300},
}


def body(seconds):
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": seconds, "End": True}}}, indent=2)


def read(arn):
    told = sfn.describe_state_machine(stateMachineArn=arn)
    sfn.list_state_machine_versions(stateMachineArn=arn)
    tags = sfn.list_tags_for_resource(resourceArn=arn)["tags"]
    return {name: told[name] for name in ("name", "definition", "roleArn", "type", *CONFIGURATION)}, tags


def settled(arn, sent):
    for _ in range(100):
        told = sfn.describe_state_machine(stateMachineArn=arn)
        if all(told[name] == value for name, value in sent.items()):
            return
        time.sleep(0.05)
    raise AssertionError("it never settles")


def apply(seconds):
    wanted = {"definition": body(seconds), "roleArn": "arn:aws:iam::000000000000:role/r", **CONFIGURATION}
    assert sfn.validate_state_machine_definition(definition=wanted["definition"], type="STANDARD")["result"] == "OK"
    made = sfn.create_state_machine(name="tf", type="STANDARD", publish=True, tags=[{"key": "env", "value": "test"}], **wanted)
    return made["stateMachineArn"], made["stateMachineVersionArn"], wanted


for round in range(2):
    assert sts.get_caller_identity()["Account"] == "000000000000"
    arn, version, wanted = apply(3600)
    state, tags = read(arn)
    assert state == {"name": "tf", "type": "STANDARD", **wanted}, state
    assert tags == [{"key": "env", "value": "test"}]
    alias = sfn.create_state_machine_alias(name="live", description="d", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}])["stateMachineAliasArn"]
    activity = sfn.create_activity(name="tf-activity", tags=[{"key": "env", "value": "test"}])["activityArn"]
    # A plan: everything is read, and nothing differs.
    assert read(arn) == (state, tags)
    told = sfn.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert (told["name"], told["description"], told["routingConfiguration"]) == ("live", "d", [{"stateMachineVersionArn": version, "weight": 100}])
    assert sfn.describe_activity(activityArn=activity)["name"] == "tf-activity"
    assert sfn.list_tags_for_resource(resourceArn=activity)["tags"] == tags
    # A change.
    wanted["definition"] = body(7200)
    assert sfn.validate_state_machine_definition(definition=wanted["definition"], type="STANDARD")["result"] == "OK"
    changed = sfn.update_state_machine(stateMachineArn=arn, publish=True, **wanted)
    settled(arn, wanted)
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "b"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["env"])
    assert read(arn)[1] == [{"key": "team", "value": "b"}]
    sfn.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=[{"stateMachineVersionArn": changed["stateMachineVersionArn"], "weight": 100}])
    again = sfn.update_state_machine(stateMachineArn=arn, **wanted)
    assert again["revisionId"] == changed["revisionId"], "what is the same is no new revision"
    # The end.
    sfn.start_execution(stateMachineArn=arn)
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    sfn.delete_activity(activityArn=activity)
    sfn.delete_state_machine(stateMachineArn=arn)
    for _ in range(200):
        try:
            assert sfn.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
        except sfn.exceptions.StateMachineDoesNotExist:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it is never gone")
print("twice without a difference")
