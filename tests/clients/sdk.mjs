// Each operation of the API at least once, its paginators and an activity worker, as the JavaScript SDK v3 calls them, and a
// consumer of an embedded queue that answers a token: node sdk.mjs URL NODE_MODULES
import { createRequire } from "node:module";
import assert from "node:assert/strict";

const [url, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const sdk = require("@aws-sdk/client-sfn");
const queue = require("@aws-sdk/client-sqs");
const where = { endpoint: url, region: "us-east-1", credentials: { accessKeyId: "any", secretAccessKey: "key" }, maxAttempts: 2 };
const sfn = new sdk.SFNClient({ ...where, disableHostPrefix: true });
const sqs = new queue.SQSClient(where);
const called = new Set();
const call = (name, input = {}) => {
  called.add(name);
  return sfn.send(new sdk[`${name}Command`](input));
};
const refused = (code, name, input) => assert.rejects(call(name, input), (error) => {
  assert.equal(error.name, code);
  assert.ok(!sdk[code] || error instanceof sdk[code]);
  return true;
});
const ended = async (executionArn) => {
  for (;;) {
    const told = await call("DescribeExecution", { executionArn });
    if (told.status !== "RUNNING") return told;
    await new Promise((done) => setTimeout(done, 20));
  }
};
const all = async (pages, member) => {
  const rows = [];
  for await (const page of pages) rows.push(...page[member]);
  return rows;
};
const roleArn = "arn:aws:iam::000000000000:role/r";
const PASS = JSON.stringify({ StartAt: "A", States: { A: { Type: "Pass", End: true } } });
const WAIT = JSON.stringify({ StartAt: "A", States: { A: { Type: "Wait", Seconds: 3600, End: true } } });
const machine = async (name, definition, type) => (await call("CreateStateMachine", { name, definition, roleArn, type })).stateMachineArn;

// State machines, versions, aliases, tags.
assert.equal((await call("ValidateStateMachineDefinition", { definition: PASS })).result, "OK");
const arn = await machine("m", PASS);
const { creationDate } = await call("DescribeStateMachine", { stateMachineArn: arn });
assert.ok(creationDate instanceof Date && Math.abs(creationDate - Date.now()) < 60_000, String(creationDate));
const { stateMachineVersionArn: version } = await call("PublishStateMachineVersion", { stateMachineArn: arn });
await call("UpdateStateMachine", { stateMachineArn: arn, definition: WAIT });
assert.equal((await call("ListStateMachineVersions", { stateMachineArn: arn })).stateMachineVersions.length, 1);
const routingConfiguration = [{ stateMachineVersionArn: version, weight: 100 }];
const { stateMachineAliasArn } = await call("CreateStateMachineAlias", { name: "prod", routingConfiguration });
await call("UpdateStateMachineAlias", { stateMachineAliasArn, description: "d" });
assert.equal((await call("DescribeStateMachineAlias", { stateMachineAliasArn })).description, "d");
assert.equal((await call("ListStateMachineAliases", { stateMachineArn: arn })).stateMachineAliases.length, 1);
await call("TagResource", { resourceArn: arn, tags: [{ key: "a", value: "b" }] });
assert.deepEqual((await call("ListTagsForResource", { resourceArn: arn })).tags, [{ key: "a", value: "b" }]);
await call("UntagResource", { resourceArn: arn, tagKeys: ["a"] });
await refused("StateMachineDoesNotExist", "DescribeStateMachine", { stateMachineArn: `${arn}x` });
await refused("InvalidDefinition", "CreateStateMachine", { name: "bad", definition: "{}", roleArn });

// Executions, their pages.
const started = await call("StartExecution", { stateMachineArn: stateMachineAliasArn, input: '{"a":1}' });
assert.equal((await ended(started.executionArn)).output, '{"a":1}');
called.add("GetExecutionHistory");
const history = sdk.paginateGetExecutionHistory({ client: sfn, pageSize: 2 }, { executionArn: started.executionArn });
assert.deepEqual((await all(history, "events")).map((event) => event.type),
  ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]);
assert.equal((await call("DescribeStateMachineForExecution", { executionArn: started.executionArn })).definition, PASS);
const { executionArn: waits } = await call("StartExecution", { stateMachineArn: arn });
await call("StopExecution", { executionArn: waits, error: "Enough" });
await call("RedriveExecution", { executionArn: waits });
await call("StopExecution", { executionArn: waits });
assert.equal((await ended(waits)).redriveCount, 1);
["ListExecutions", "ListStateMachines", "ListActivities", "ListMapRuns"].forEach((name) => called.add(name));
assert.equal((await all(sdk.paginateListExecutions({ client: sfn, pageSize: 1 }, { stateMachineArn: arn }), "executions")).length, 2);
assert.equal((await all(sdk.paginateListStateMachines({ client: sfn }, {}), "stateMachines")).length, 1);

// A worker of an activity, which waits before there is a task.
const { activityArn } = await call("CreateActivity", { name: "a" });
assert.equal((await call("DescribeActivity", { activityArn })).name, "a");
assert.equal((await all(sdk.paginateListActivities({ client: sfn }, {}), "activities")).length, 1);
const asks = await machine("asks", JSON.stringify({
  StartAt: "A", States: { A: { Type: "Task", Resource: activityArn, HeartbeatSeconds: 600, End: true } } }));
const poll = call("GetActivityTask", { activityArn, workerName: "w" });
const asked = await call("StartExecution", { stateMachineArn: asks, input: "[7]" });
const { taskToken, input } = await poll;
assert.equal(input, "[7]");
await call("SendTaskHeartbeat", { taskToken });
await call("SendTaskSuccess", { taskToken, output: '"done"' });
assert.equal((await ended(asked.executionArn)).output, '"done"');
await call("DeleteActivity", { activityArn });

// A consumer of an embedded queue answers a token.
const { QueueUrl } = await sqs.send(new queue.CreateQueueCommand({ QueueName: "work" }));
const sends = await machine("sends", JSON.stringify({ StartAt: "A", States: { A: {
  Type: "Task", Resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken", End: true,
  Parameters: { QueueUrl, MessageBody: { "token.$": "$$.Task.Token" } } } } }));
const received = sqs.send(new queue.ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
const sent = await call("StartExecution", { stateMachineArn: sends });
const [message] = (await received).Messages;
await call("SendTaskFailure", { taskToken: JSON.parse(message.Body).token, error: "Refused", cause: "by the consumer" });
await sqs.send(new queue.DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
assert.equal((await ended(sent.executionArn)).error, "Refused");

// Map runs, synchronous executions, a state alone.
const processor = { ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" }, ...JSON.parse(PASS) };
const maps = await machine("maps", JSON.stringify({ StartAt: "M", States: { M: { Type: "Map", ItemProcessor: processor, End: true } } }));
const mapped = await call("StartExecution", { stateMachineArn: maps, input: "[1,2]" });
await ended(mapped.executionArn);
const [{ mapRunArn }] = await all(sdk.paginateListMapRuns({ client: sfn }, { executionArn: mapped.executionArn }), "mapRuns");
assert.equal((await call("DescribeMapRun", { mapRunArn })).itemCounts.succeeded, 2);
await refused("ValidationException", "UpdateMapRun", { mapRunArn, maxConcurrency: 1 });
const express = await machine("x", PASS, "EXPRESS");
const sync = await call("StartSyncExecution", { stateMachineArn: express, input: "[1]" });
assert.deepEqual([sync.status, sync.output, sync.billingDetails.billedMemoryUsedInMB], ["SUCCEEDED", "[1]", 64]);
const tested = await call("TestState", { definition: JSON.stringify({ Type: "Pass", Result: 7, End: true }), roleArn });
assert.equal(tested.output, "7");

await call("DeleteStateMachineAlias", { stateMachineAliasArn });
await call("DeleteStateMachineVersion", { stateMachineVersionArn: version });
await call("DeleteStateMachine", { stateMachineArn: arn });
const known = Object.keys(sdk).filter((name) => /^[A-Z].*Command$/.test(name)).map((name) => name.slice(0, -7));
assert.deepEqual(known.filter((name) => !called.has(name)), []);
console.log(`${called.size} operations`);
