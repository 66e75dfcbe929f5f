// The console in a real browser: mouse and keyboard against the real binary with real executions.
//
//   node tests/console/console.mjs target/debug/asl [FOLDER FOR SCREENSHOTS]
//
// Needs node, playwright-core and axe-core (in target/console-tests) and Debian's chromium; without them it says that it was skipped.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import assert from "node:assert/strict";

const [asl, shots] = process.argv.slice(2);
const chromiumAt = process.env.ASL_CHROMIUM ?? "/usr/bin/chromium";
const modules = resolve("target/console-tests/node_modules");
for (const [what, at] of [["chromium", chromiumAt], ["playwright-core", join(modules, "playwright-core")], ["axe-core", join(modules, "axe-core")]]) {
  if (existsSync(at)) continue;
  console.log(`SKIPPED: the console in a browser: there is no ${what} at ${at}; .ci/run installs it`);
  process.exit(process.env.ASL_NO_SKIP ? 1 : 0);
}
const require = createRequire(join(modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(join(modules, "axe-core/axe.min.js"), "utf8");

let PREFIX = ""; // of ARNs: known from the first that the server makes
const hostile = `</pre><script>window.hit=1</script><img src="/hit" onerror="window.hit=1"> \u202e`;
const pass = (next, more = {}) => ({ Type: "Pass", ...(next ? { Next: next } : { End: true }), ...more });
const machines = {
  approval: {
    StartAt: "Price",
    States: {
      Price: pass("Ask the clerk", { Result: { price: 420, currency: "EUR" }, ResultPath: "$.order" }),
      "Ask the clerk": {
        Type: "Task", Resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken", TimeoutSeconds: 86400,
        Parameters: { QueueUrl: "approvals", MessageBody: { "token.$": "$$.Task.Token", "order.$": "$.order" } }, Next: "Approved",
      },
      Approved: { Type: "Succeed" },
    },
  },
  saga: {
    StartAt: "Reserve",
    States: {
      Reserve: {
        Type: "Parallel", Next: "Charge", ResultPath: "$.reserved",
        Branches: ["Flight", "Hotel", "Car"].map((name) => ({ StartAt: name, States: { [name]: pass(null, { Result: { booked: name } }) } })),
      },
      Charge: {
        Type: "Task", Resource: "arn:aws:states:::dynamodb:putItem", Parameters: { TableName: "payments", Item: { wrong: { S: "no key" } } },
        Retry: [{ ErrorEquals: ["States.ALL"], IntervalSeconds: 1, MaxAttempts: 1, BackoffRate: 1 }],
        Catch: [{ ErrorEquals: ["States.ALL"], Next: "Cancel", ResultPath: "$.error" }], Next: "Done",
      },
      Done: { Type: "Succeed" },
      Cancel: pass("Refused", { Comment: hostile, Result: hostile }),
      Refused: { Type: "Fail", Error: "Payment.Refused", Cause: `The bank refused 420 EUR ${hostile}` },
    },
  },
  naps: {
    StartAt: "Nap",
    States: {
      Nap: { Type: "Wait", Seconds: 86400, Next: "Broken" },
      Broken: {
        Type: "Task", Resource: "arn:aws:states:::dynamodb:putItem", Parameters: { TableName: "payments", Item: { wrong: { S: "no key" } } },
        Retry: [{ ErrorEquals: ["States.ALL"], IntervalSeconds: 86400, MaxAttempts: 1 }], End: true,
      },
    },
  },
  long: {
    StartAt: "Count", States: { Count: { Type: "Map", ItemsPath: "$.items", MaxConcurrency: 1, ItemProcessor: { StartAt: "Step", States: { Step: pass(null) } }, End: true } },
  },
};

const folder = mkdtempSync(join(tmpdir(), "asl-console-"));
writeFileSync(join(folder, "asl.toml"), `[queues.approvals]
[queues.work]
[queues.fed]
[tables.payments]
HashKey = "id"
[topics.news]
[[topics.news.Subscriptions]]
Protocol = "sqs"
Endpoint = "fed"
[functions.greet]
Runtime = "python"
File = "greet.py"
`);
writeFileSync(join(folder, "greet.py"), "def lambda_handler(event, context):\n    return {'text': 'hello ' + event['who']}\n");
const server = spawn(resolve(asl), ["serve", "--port", "0", "--project", join(folder, "asl.toml"), "--db", join(folder, "x.db")], { cwd: folder });
let said = "";
const address = await new Promise((done, failed) => {
  server.stderr.on("data", (text) => {
    said += text;
    const found = /on (http:\/\/[0-9.:]+)/.exec(said);
    if (found) done(found[1]);
  });
  server.on("exit", () => failed(new Error(`asl serve ended: ${said}`)));
});
async function call(operation, body) {
  const answer = await fetch(address, { method: "POST", headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AWSStepFunctions.${operation}` }, body: JSON.stringify(body) });
  const told = await answer.json();
  assert.equal(answer.status, 200, `${operation}: ${JSON.stringify(told)}`);
  return told;
}
const start = (name, execution, input) => call("StartExecution", { stateMachineArn: `${PREFIX}:stateMachine:${name}`, name: execution, input: JSON.stringify(input) });
const at = (machine, execution) => `${address}/console/execution/${PREFIX}:execution:${machine}:${execution}`;
async function ended(machine, execution) {
  for (;;) {
    const told = await call("DescribeExecution", { executionArn: `${PREFIX}:execution:${machine}:${execution}` });
    if (told.status !== "RUNNING") return told;
    await new Promise((go) => setTimeout(go, 100));
  }
}

let browser;
let failed = 0;
async function test(name, run) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (line) => { if (line.type() === "error" && !/404|status of 4|ERR_CONNECTION|ERR_INCOMPLETE/.test(line.text())) wrong.push(line.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(address) || request.url().endsWith("/hit")) wrong.push(`request ${request.url()}`); });
  try {
    await run(page);
    assert.equal(await page.evaluate("window.hit"), undefined, "a script from an execution ran");
    assert.deepEqual(wrong, [], "errors in the page");
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
  await context.close();
}
const text = (page, selector) => page.locator(selector).first().innerText();

try {
  for (const [name, definition] of Object.entries(machines)) {
    const { stateMachineArn } = await call("CreateStateMachine", { name, roleArn: "arn:aws:iam::123456789012:role/r", definition: JSON.stringify(definition) });
    PREFIX = stateMachineArn.split(":stateMachine:")[0];
  }
  for (let number = 1; number <= 12; number += 1) await start("saga", `trip-${number}`, { customer: `c${number}`, note: hostile });
  await start("approval", "order-4711", { who: "me" });
  await start("approval", "order-4712", { who: "you" });
  await start("long", "many", { items: Array.from({ length: 5000 }, (_, at) => at) });
  for (let number = 1; number <= 12; number += 1) await ended("saga", `trip-${number}`);
  await ended("long", "many");
  browser = await chromium.launch({ executablePath: chromiumAt, args: ["--no-sandbox"] });

  await test("why did it fail: one click from home, said first", async (page) => {
    await page.goto(address);
    await page.click("text=trip-12");
    assert.match(await text(page, "#now"), /It failed in Refused: Payment\.Refused/);
    assert.match(await text(page, "#data h2"), /Refused/);
  });
  await test("what did this state get: a click in the graph, the same selection in all views, back goes back", async (page) => {
    await page.goto(at("saga", "trip-3"));
    await page.click('#graph a.state:has(title:text-matches("^Charge"))');
    await page.waitForSelector("#data h2:has-text('Charge')");
    assert.match(await text(page, "#data"), /attempt 2 of 2/);
    assert.match(await text(page, "#timeline .row[aria-current=true]"), /Charge/);
    assert.ok((await page.locator("#events tr.of-chosen").count()) > 2);
    await page.goBack();
    await page.waitForSelector("#data h2:has-text('Refused')");
  });
  await test("which runs fail like this: a click on the error", async (page) => {
    await page.goto(address);
    await page.click("#executions td a:has-text('Payment.Refused')");
    assert.equal(await page.locator("#executions tbody tr").count(), 12);
  });
  await test("a token is answered where it is waited for, and the page follows", async (page) => {
    await page.goto(at("approval", "order-4711"));
    assert.match(await text(page, "#now"), /Ask the clerk waits for the task token of sqs:sendMessage/);
    await page.click("text=Send success…");
    await page.fill("textarea[name=output]", "{");
    assert.equal(await page.getAttribute("textarea[name=output]", "aria-invalid"), "true");
    await page.fill("textarea[name=output]", '{"approved": true}');
    await page.click("button:has-text('Send success')");
    await page.waitForSelector("#head .status.succeeded");
  });
  await test("another client's stop is shown by itself", async (page) => {
    await page.goto(at("approval", "order-4712"));
    await page.waitForTimeout(300);
    await call("StopExecution", { executionArn: `${PREFIX}:execution:approval:order-4712`, error: "Clerk.Away" });
    await page.waitForSelector("#now:has-text('Clerk.Away')");
    assert.match(await text(page, "#head"), /Redrive…/);
  });
  await test("keys: / searches, j and k walk the events, g goes to the graph, ? tells", async (page) => {
    await page.goto(at("saga", "trip-2") + "?event=1");
    await page.keyboard.press("j");
    await page.waitForURL(/event=2/);
    await page.keyboard.press("j");
    await page.waitForURL(/event=3/);
    await page.keyboard.press("k");
    await page.waitForURL(/event=2/);
    await page.keyboard.press("g");
    assert.ok(await page.evaluate("document.activeElement.closest('#graph') !== null"));
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    await page.keyboard.type("trip-1");
    await page.keyboard.press("Enter");
    await page.waitForURL(/name=trip-1/);
    assert.equal(await page.locator("#executions tbody tr").count(), 4);
  });
  await test("a start from the page, with an input that was used before", async (page) => {
    await page.goto(`${address}/console/machine/${PREFIX}:stateMachine:approval`);
    await page.click("text=Start…");
    await page.click(".inputs a >> nth=1");
    assert.match(await page.inputValue("textarea[name=input]"), /who/);
    await page.click("button:has-text('Start the execution')");
    await page.waitForSelector("#now:has-text('Ask the clerk')");
  });
  await test("the slider goes through the events by keyboard, and all views follow", async (page) => {
    await page.goto(at("saga", "trip-5") + "?event=1");
    await page.keyboard.press("s");
    for (let times = 0; times < 5; times += 1) await page.keyboard.press("ArrowRight");
    await page.waitForURL(/event=6/);
    await page.waitForSelector("#data h3:has-text('Event 6')");
    assert.equal(await text(page, "#events a[aria-current=true]"), "6");
    assert.equal(await page.evaluate("document.activeElement.id"), "scrubber");
  });
  await test("a Wait and a retry are told to come now", async (page) => {
    await start("naps", "tired", {});
    await page.goto(at("naps", "tired"));
    await page.click("text=Go on now…");
    await page.click("button:has-text('Now')");
    await page.waitForSelector("#now:has-text('retry 1 comes')");
    await page.click("text=Retry now…");
    await page.click("button:has-text('Now')");
    await page.waitForSelector("#head .status.failed");
  });
  await test("rerun from a state with another input: a new execution that says what it came from", async (page) => {
    await page.goto(at("saga", "trip-4") + "?state=Charge");
    await page.click("text=Rerun from here…");
    await page.fill("#data textarea[name=input]", '{"mine": 1}');
    await page.click("#data button:has-text('Rerun')");
    await page.waitForSelector("#now:has-text('Payment.Refused')");
    assert.match(await text(page, "#head"), /rerun of trip-4 from Charge/);
    assert.equal(await page.locator("#events td:has-text('ParallelStateEntered')").count(), 0);
    await page.click("#head a:has-text('trip-4')");
    await page.waitForSelector("h1:has-text('trip-4')");
  });
  await test("tags are shown, set and removed", async (page) => {
    await page.goto(`${address}/console/machine/${PREFIX}:stateMachine:saga`);
    await page.click("text=Set a tag…");
    await page.fill("input[name=key]", "team");
    await page.fill("input[name=value]", hostile.slice(0, 20));
    await page.click("button:has-text('Set the tag')");
    // The characters of a tag are AWS's: markup is refused, and shown as text.
    if (!(await page.locator("#tags li").count())) {
      await page.goto(`${address}/console/machine/${PREFIX}:stateMachine:saga`);
      await page.click("text=Set a tag…");
      await page.fill("input[name=key]", "team");
      await page.fill("input[name=value]", "travel");
      await page.click("button:has-text('Set the tag')");
    }
    await page.waitForSelector("#tags li:has-text('team =')");
    await page.click("#tags li >> text=Remove…");
    await page.click("button:has-text('Remove the tag')");
    await page.waitForFunction("!document.querySelector('#tags li')");
  });
  await test("a table: items are put, looked at by pages, and deleted after a question", async (page) => {
    await page.goto(address);
    await page.click("text=Tables, queues, topics, functions");
    await page.click("a:has-text('payments')");
    for (const id of ["one", hostile]) {
      await page.click("text=Put an item…");
      await page.fill("textarea[name=Item]", JSON.stringify({ id: { S: id }, note: { S: hostile } }));
      await page.click("button:has-text('Put the item')");
      await page.waitForSelector(`#items summary:has-text(${JSON.stringify(id.slice(0, 5))})`);
    }
    assert.equal(await page.locator("#items > details").count(), 2);
    await page.click("#items > details:has(summary:text-matches('one')) summary:has-text('Delete…')");
    await page.click("#items button:visible:has-text('Delete the item')");
    await page.waitForFunction("document.querySelectorAll('#items > details').length === 1");
    for (let number = 0; number < 60; number += 1) {
      const answer = await fetch(address, { method: "POST", headers: { "x-amz-target": "DynamoDB_20120810.PutItem" }, body: JSON.stringify({ TableName: "payments", Item: { id: { S: `n${number}` } } }) });
      assert.equal(answer.status, 200);
    }
    await page.reload();
    assert.equal(await page.locator("#items > details").count(), 50);
    await page.click("#items .pager a:has-text('next')");
    await page.waitForFunction("document.querySelectorAll('#items > details').length === 11");
  });
  await test("a queue: send, look without receiving, receive, put back, delete, purge", async (page) => {
    await page.goto(`${address}/console/queue/work`);
    for (const body of [hostile, "second"]) {
      await page.click("text=Send a message…");
      await page.fill("textarea[name=MessageBody]", body);
      await page.click("button:has-text('Send the message')");
      await page.waitForSelector(`#messages pre:has-text(${JSON.stringify(body.slice(0, 6))})`);
    }
    assert.match(await text(page, ".facts"), /2 messages can be received/);
    await page.click("text=Receive…");
    await page.click("button:has-text('Receive messages')");
    await page.waitForSelector("h1:has-text('Received')");
    assert.equal(await page.locator("#messages > details").count(), 2);
    await page.click("#messages > details >> nth=0 >> button:has-text('Put back')");
    await page.waitForSelector(".facts:has-text('1 messages can be received, 1 are being worked on')");
    await page.click("text=Receive…");
    await page.click("button:has-text('Receive messages')");
    await page.click("#messages summary:has-text('Delete…')");
    await page.click("button:has-text('Delete the message')");
    await page.waitForFunction("document.querySelectorAll('#messages > details').length === 1");
    await page.click("text=Purge…");
    await page.click("button:has-text('Delete all messages')");
    await page.waitForFunction("document.querySelectorAll('#messages > details').length === 0");
  });
  await test("a topic: publish, and what is subscribed has it", async (page) => {
    await page.goto(`${address}/console/services`);
    await page.click("a:has-text('news')");
    await page.waitForSelector("#subscriptions summary:has-text('fed')");
    await page.click("text=Publish…");
    await page.fill("textarea[name=Message]", "hello there");
    await page.click("button:has-text('Publish the message')");
    await page.goto(`${address}/console/queue/fed`);
    await page.waitForSelector("#messages pre:has-text('hello there')");
  });
  await test("a function is invoked, and what it answers is shown", async (page) => {
    await page.goto(`${address}/console/function/greet`);
    await page.fill("textarea[name=Payload]", '{"who": "me"}');
    await page.click("button:has-text('Invoke the function')");
    await page.waitForSelector("#answer pre:has-text('hello me')");
    await page.fill("textarea[name=Payload]", "{}");
    await page.click("button:has-text('Invoke the function')");
    await page.waitForSelector("#answer pre:has-text('KeyError')");
  });
  await test("a budget: bytes over the wire, time to first view, 20,000 events", async (page) => {
    const sizes = [];
    page.on("response", (answer) => answer.url().includes("/live") || sizes.push(answer.body().then((body) => body.length, () => 0)));
    await page.goto(at("saga", "trip-1"), { waitUntil: "load" });
    const bytes = (await Promise.all(sizes)).reduce((all, size) => all + size, 0);
    assert.ok(bytes > 0 && bytes <= 200 * 1024, `${bytes} bytes`);
    const begin = Date.now();
    await page.goto(at("long", "many"));
    console.log(`        ${bytes} bytes for an execution; ${Date.now() - begin} ms for ${(await text(page, "#events h2"))}, a debug build`);
    await page.click("#events .pager a:has-text('last')");
    await page.waitForSelector("#events td:has-text('ExecutionSucceeded')");
  });
  for (const scheme of ["light", "dark"]) {
    for (const [name, address_, width] of [["home", address, 1400], ["failed", at("saga", "trip-12") + "?state=Charge", 1400], ["narrow", at("saga", "trip-12"), 390], ["machine", `${address}/console/machine/${PREFIX}:stateMachine:saga`, 1400], ["services", `${address}/console/services`, 390], ["table", `${address}/console/table/payments`, 1400]]) {
      await test(`no accessibility violation: ${name}, ${scheme}`, async (page) => {
        await page.emulateMedia({ colorScheme: scheme });
        await page.setViewportSize({ width, height: 1000 });
        await page.goto(address_);
        if (shots) {
          mkdirSync(shots, { recursive: true });
          await page.screenshot({ path: join(shots, `${name}-${scheme}.png`), fullPage: name === "narrow" });
        }
        const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert.ok(wide <= 0, `the page is ${wide} px wider than its window`);
        // Playwright's own world is not held by the page's policy.
        const found = await page.evaluate(`(() => { ${axe}; return axe.run(document, { resultTypes: ["violations"] }); })()`);
        assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
      });
    }
  }
  await test("a server that is gone is said at the top", async (page) => {
    const started = await start("approval", "late", {});
    await page.goto(`${address}/console/execution/${started.executionArn}`);
    await page.waitForTimeout(300);
    server.removeAllListeners("exit");
    server.kill("SIGKILL");
    await page.waitForSelector("#gone:has-text('does not answer')", { timeout: 20000 });
  }).catch(() => {});
} finally {
  await browser?.close();
  server.removeAllListeners("exit");
  server.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
console.log(failed ? `${failed} failed` : "all ok");
process.exit(failed ? 1 : 0);
