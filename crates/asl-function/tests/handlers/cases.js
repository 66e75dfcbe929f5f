'use strict';
exports.echo = async (event) => event;
exports.plain = (event, context, callback) => callback(null, { event, id: context.awsRequestId });
exports.context = async (event, context) => ({
  awsRequestId: context.awsRequestId,
  functionName: context.functionName,
  functionVersion: context.functionVersion,
  invokedFunctionArn: context.invokedFunctionArn,
  memoryLimitInMB: context.memoryLimitInMB,
  logGroupName: context.logGroupName,
  clientContext: context.clientContext,
  remaining: context.getRemainingTimeInMillis() > 0,
});
exports.nothing = async () => {};
exports.silent = () => {};
exports.waitsForLoop = (event, context, callback) => {
  const seen = [];
  setTimeout(() => seen.push('later'), 20);
  callback(null, seen);
};
exports.doesNotWait = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setTimeout(() => {}, 1e6).unref();
  setInterval(() => {}, 1e6);
  callback(null, 'at once');
};
exports.succeeds = (event, context) => context.succeed('the old way');
exports.api = { nested: async () => 'nested' };
exports.notAFunction = 5;

class PaymentChargeException extends Error {
  constructor(message) {
    super(message);
    this.name = 'PaymentChargeException';
  }
}
exports.throws = async (event) => {
  throw new PaymentChargeException(`no charge for ${event}`);
};
exports.throwsNow = () => {
  throw new TypeError('at once');
};
exports.callsBack = (event, context, callback) => callback(new RangeError('by callback'));
exports.rejectsText = async () => {
  throw 'only text';
};
exports.bigInt = async () => 1n;
exports.neverSettles = async () => new Promise(() => {});
exports.unhandled = async () => {
  Promise.reject(new Error('nobody looked'));
  await new Promise((resolve) => setTimeout(resolve, 1000));
};
exports.uncaught = async () => {
  setTimeout(() => {
    throw new Error('in a timer');
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 1000));
};
exports.exits = async (event) => process.exit(event);
exports.loops = async () => {
  for (;;);
};
exports.prints = async () => {
  console.log('to stdout');
  console.error('to stderr');
};
exports.counting = async () => ({ calls: (exports.calls = (exports.calls || 0) + 1), pid: process.pid });
