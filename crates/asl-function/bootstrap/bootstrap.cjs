// Runs one ordinary Lambda handler: the Node.js end of the AWS Lambda Runtime API.
//
// Needs nothing but `node`. How a handler is found, how callbacks, promises and the event loop
// play together, and the error names are those of AWS's own runtime interface client.
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');
const { createRequire } = require('module');
const { fileURLToPath, pathToFileURL } = require('url');
const { types } = require('util');

class RuntimeError extends Error {
  constructor(kind, message, place = []) {
    super(message);
    this.name = `Runtime.${kind}`;
    if (place.length) this.stack = [`${this.name}: ${this.message}`, ...place].join('\n');
  }
}

// The Runtime API over one keep-alive connection. The socket holds the event loop only while a
// call is under way, so that "the event loop is empty" means the handler's own work is done.
class RuntimeApi {
  constructor(address) {
    const [authority, secret] = address.split('/');
    const [host, port] = authority.split(':');
    this.address = authority;
    this.root = secret === undefined ? '' : `/${secret}`;
    this.received = Buffer.alloc(0);
    this.socket = net.connect({ host, port: Number(port), noDelay: true });
    this.socket.on('data', (chunk) => this.receive(chunk));
    // The engine is gone, and with it everybody who could want an answer.
    this.socket.on('error', () => process.exit(0));
    this.socket.on('close', () => process.exit(0));
  }

  call(method, resource, body = '', errorType = undefined) {
    const bytes = Buffer.from(body);
    let head = `${method} ${this.root}/2018-06-01/runtime/${resource} HTTP/1.1\r\nHost: ${this.address}\r\n`;
    head += `Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\n`;
    if (errorType) {
      head += `Lambda-Runtime-Function-Error-Type: ${errorType.replace(/[^\x20-\x7e]/g, '?')}\r\n`;
    }
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.socket.ref();
      this.socket.write(Buffer.concat([Buffer.from(head + '\r\n', 'latin1'), bytes]));
    });
  }

  receive(chunk) {
    this.received = this.received.length ? Buffer.concat([this.received, chunk]) : chunk;
    if (!this.headers) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.headers = {};
      for (const line of this.received.toString('latin1', 0, end).split('\r\n').slice(1)) {
        const colon = line.indexOf(':');
        this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      this.received = this.received.subarray(end + 4);
    }
    const length = Number(this.headers['content-length'] || 0);
    if (this.received.length < length) return;
    const answer = { headers: this.headers, body: this.received.toString('utf8', 0, length) };
    this.received = this.received.subarray(length);
    this.headers = undefined;
    this.socket.unref();
    this.resolve(answer);
  }
}

function hasModulePackage(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
    } catch {
      return false;
    }
  }
  const parent = path.dirname(folder);
  return parent !== folder && hasModulePackage(parent);
}

async function loadModule(root, folder, name) {
  const base = path.resolve(root, folder, name);
  const load = createRequire(path.join(root, 'noop.js'));
  const required = (file) => (fs.existsSync(file) ? { module: load(file) } : undefined);
  const imported = async (file) =>
    fs.existsSync(file) ? { module: await import(pathToFileURL(file)) } : undefined;
  const isModule = hasModulePackage(path.dirname(base));
  const found =
    (fs.existsSync(base) && fs.statSync(base).isFile() ? required(base) : undefined) ||
    (isModule ? await imported(base + '.js') : required(base + '.js')) ||
    (await imported(base + '.mjs')) ||
    required(base + '.cjs');
  return found ? found.module : load(load.resolve(name, { paths: [root, path.resolve(root, folder)] }));
}

// File, line and text of a syntax error. CommonJS has them at the head of the stack; those of an ES module are told only by a
// process that dies of it: one that imports it again, of which nothing runs because it cannot be read.
function placeOf(error, base) {
  let lines = String(error.stack).split('\n');
  if (lines[0].startsWith('SyntaxError')) {
    const file = [base + '.mjs', base + '.js'].find((name) => fs.existsSync(name));
    if (!file) return [];
    const script = `import(${JSON.stringify(pathToFileURL(file).href)})`;
    const options = { encoding: 'utf8', timeout: 5000, env: {}, stdio: ['ignore', 'ignore', 'pipe'] };
    const died = require('child_process').spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
    lines = String(died.stderr).split('\n');
  }
  const end = lines.findIndex((line) => line.startsWith('SyntaxError'));
  const [first, ...text] = lines.slice(0, Math.max(end, 0)).filter((line) => line !== '');
  const [, url, line] = (first || '').match(/^(.*):(\d+)$/) || [];
  if (!url) return [];
  return [`    at ${url.startsWith('file:') ? fileURLToPath(url) : url}:${line}`, ...text];
}

async function loadHandler(root, handler) {
  if (handler.includes('..')) {
    throw new RuntimeError(
      'MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(handler);
  const folder = handler.slice(0, handler.indexOf(base));
  const [, name, nested] = base.match(/^([^.]*)\.(.*)$/) || [];
  if (nested === undefined) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
  let loaded;
  try {
    loaded = await loadModule(root, folder, name);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeError('UserCodeSyntaxError', error, placeOf(error, path.resolve(root, folder, name)));
    }
    if (error?.code === 'MODULE_NOT_FOUND') throw new RuntimeError('ImportModuleError', error);
    throw error;
  }
  const found = nested.split('.').reduce((object, key) => object && object[key], loaded);
  if (!found) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') {
    throw new RuntimeError('HandlerNotFound', `${handler} is not a function`);
  }
  return found;
}

// An error as the JSON object Lambda makes of it, without this file's own frames.
function describe(error) {
  try {
    if (types.isNativeError(error) || (error?.name && error.message && error.stack)) {
      const trace = String(error.stack).split('\n').filter((line) => !/^\s+at .*\[eval\d*\]/.test(line));
      return { errorType: error.name, errorMessage: error.message, trace };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    const errorMessage =
      'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack';
    return { errorType: 'handled', errorMessage };
  }
}

function post(resource, error) {
  const failure = describe(error);
  const lines = failure.trace?.length ? failure.trace : [`${failure.errorType}: ${failure.errorMessage}`];
  process.stderr.write(`[ERROR] ${lines.join('\n')}\n`);
  return api.call('POST', resource, JSON.stringify(failure), String(failure.errorType));
}

function buildContext(headers) {
  const env = process.env;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const client = headers['lambda-runtime-client-context'];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client === undefined ? undefined : JSON.parse(client),
    identity: undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// What to do when the event loop runs empty, and where an uncaught error is reported: nowhere
// (undefined) once the invocation has its answer.
let onEmptyLoop = () => {};
let errorResource = 'init/error';
let dying = false;
let api;

// After an error that nobody caught the process cannot be trusted: report it and end, as AWS does.
function die(error, code) {
  if (dying) return;
  dying = true;
  if (errorResource === undefined) {
    process.stderr.write(`[ERROR] ${error?.stack ?? error}\n`);
    process.exit(code);
  }
  post(errorResource, error).then(() => process.exit(code));
}

async function handleOnce(handler) {
  const { headers, body } = await api.call('GET', 'invocation/next');
  const id = headers['lambda-runtime-aws-request-id'];
  if (id === undefined) process.exit(1);
  const next = () => setImmediate(() => handleOnce(handler));
  let finished = false;

  const finish = (resource, send) => {
    if (finished || dying) return;
    finished = true;
    errorResource = undefined;
    onEmptyLoop = () => {};
    send(`invocation/${id}/${resource}`).then(next);
  };
  const fail = (error) => finish('error', (to) => post(to, error ?? 'handled'));
  const succeed = (result) => {
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result) ?? 'null';
    } catch {
      return fail(new Error('Unable to stringify response body'));
    }
    finish('response', (to) => api.call('POST', to, text));
  };
  const done = (error, result) => (error === undefined || error === null ? succeed(result) : fail(error));

  errorResource = `invocation/${id}/error`;
  if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  // A handler that neither answers nor leaves anything to wait for: null, as on AWS, but an async
  // one whose promise can never settle any more is an error.
  onEmptyLoop = () => {
    if (handler.constructor?.name !== 'AsyncFunction') return succeed(null);
    fail(
      new RuntimeError(
        'NodeJsExit',
        'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes',
      ),
    );
  };
  try {
    const context = Object.assign(buildContext(headers), { succeed, fail, done });
    const callback = (error, result) => {
      if (error === undefined || error === null) {
        if (context.callbackWaitsForEmptyEventLoop) onEmptyLoop = () => succeed(result);
        else succeed(result);
      } else fail(error);
    };
    const result = handler(JSON.parse(body), context, callback);
    if (typeof result?.then === 'function') result.then(succeed, fail);
  } catch (error) {
    fail(error);
  }
}

async function main() {
  process.env.AWS_EXECUTION_ENV ??= `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`;
  api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
  process.on('beforeExit', () => onEmptyLoop());
  process.on('uncaughtException', (error) => die(error, 129));
  process.on('unhandledRejection', (reason) => die(new RuntimeError('UnhandledPromiseRejection', reason), 128));
  try {
    const handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
    handleOnce(handler);
  } catch (error) {
    die(error, 1);
  }
}

main();
