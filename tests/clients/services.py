"""What workflows talk to, through boto3: a consumer of a queue answers a token, a worker takes an activity's task, and the embedded
services answer their own protocols. services.py URL"""
import json
import sys
import threading
import time

import boto3
from botocore.config import Config

config = Config(inject_host_prefix=False, retries={"max_attempts": 1}, read_timeout=70)
where = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="key", config=config)
sfn, sqs, sns, table, events, functions = (
    boto3.client(name, **where) for name in ("stepfunctions", "sqs", "sns", "dynamodb", "events", "lambda"))
ROLE = "arn:aws:iam::000000000000:role/r"


def machine(name, **states):
    body = json.dumps({"StartAt": next(iter(states)), "States": states})
    return sfn.create_state_machine(name=name, definition=body, roleArn=ROLE)["stateMachineArn"]


def ended(arn):
    for _ in range(500):
        told = sfn.describe_execution(executionArn=arn)
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.02)
    raise AssertionError(f"{arn} has not ended")


def refused(client, code, call, **params):
    try:
        call(**params)
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{code} was expected")


# SQS: a queue made at run time, and a consumer that waits before anything is sent.
url = sqs.create_queue(QueueName="work")["QueueUrl"]
assert url.startswith(sys.argv[1]), url
assert sqs.get_queue_url(QueueName="work")["QueueUrl"] == url


def consume():
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
    token = json.loads(message["Body"])["token"]
    sfn.send_task_success(taskToken=token, output=json.dumps({"consumed": True}))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


consumer = threading.Thread(target=consume)
consumer.start()
asks = machine("asks", A={
    "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
    "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}}})
told = ended(sfn.start_execution(stateMachineArn=asks)["executionArn"])
consumer.join()
assert told["output"] == '{"consumed":true}', told
sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(3)])
assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"] == "3"
assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 3
began = time.monotonic()
assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
assert time.monotonic() - began > 0.9
refused(sqs, "AWS.SimpleQueueService.NonExistentQueue", sqs.send_message, QueueUrl=url + "x", MessageBody="m")

# SNS: a topic that a queue is subscribed to.
topic = sns.create_topic(Name="news")["TopicArn"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
assert sns.list_topics()["Topics"] == [{"TopicArn": topic}]
sns.publish(TopicArn=topic, Message="hello & <you>", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"][0]
assert (message["Body"], message["MessageAttributes"]["a"]["StringValue"]) == ("hello & <you>", "b"), message
refused(sns, "NotFound", sns.publish, TopicArn=topic + "x", Message="m")

# DynamoDB.
table.create_table(TableName="Things", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                   AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
table.get_waiter("table_exists").wait(TableName="Things", WaiterConfig={"Delay": 1})
table.put_item(TableName="Things", Item={"id": {"S": "1"}, "n": {"N": "7"}})
assert table.get_item(TableName="Things", Key={"id": {"S": "1"}})["Item"]["n"] == {"N": "7"}
refused(table, "ConditionalCheckFailedException", table.put_item, TableName="Things", Item={"id": {"S": "1"}},
        ConditionExpression="attribute_not_exists(id)")
puts = machine("puts", A={"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": True,
                          "Parameters": {"TableName": "Things", "Item": {"id": {"S": "2"}}}})
assert ended(sfn.start_execution(stateMachineArn=puts)["executionArn"])["status"] == "SUCCEEDED"
assert table.scan(TableName="Things")["Count"] == 2

# EventBridge.
assert events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])["FailedEntryCount"] == 0

# Lambda: a function of the project.
invoked = functions.invoke(FunctionName="Greet", Payload=b'{"name": "Ann"}')
assert (invoked["StatusCode"], json.loads(invoked["Payload"].read())) == (200, "Hello, Ann!")
failed = functions.invoke(FunctionName="Greet", Payload=b"{}")
assert failed["FunctionError"] == "Unhandled" and "name" in json.loads(failed["Payload"].read())["errorMessage"]
assert functions.invoke(FunctionName="Greet", InvocationType="Event", Payload=b'{"name": "Bo"}')["StatusCode"] == 202

# An activity worker.
activity = sfn.create_activity(name="press")["activityArn"]
made = machine("made", A={"Type": "Task", "Resource": activity, "HeartbeatSeconds": 60, "End": True})
execution = sfn.start_execution(stateMachineArn=made, input='{"a":1}')["executionArn"]
task = sfn.get_activity_task(activityArn=activity, workerName="w1")
assert json.loads(task["input"]) == {"a": 1}
sfn.send_task_heartbeat(taskToken=task["taskToken"])
sfn.send_task_success(taskToken=task["taskToken"], output='"pressed"')
assert ended(execution)["output"] == '"pressed"'
workers = [e["activityStartedEventDetails"]["workerName"] for e in sfn.get_execution_history(executionArn=execution)["events"] if e["type"] == "ActivityStarted"]
assert workers == ["w1"]
print("all services")
