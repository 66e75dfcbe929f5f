// The reference implementation, asked line by line: {"e": expression, "d": document} gives {"v": value}, {} for undefined,
// {"u": 1} for a function, {"c": code, "m": message} for an error, {"j": message} where JavaScript itself gave up.
// First line: {"documents": [...], "now": milliseconds}.
'use strict';
const jsonata = require(process.argv[2]);
const lines = require('readline').createInterface({ input: process.stdin });

const SystemDate = Date;
let now = 0;
globalThis.Date = class extends SystemDate {
    constructor(...args) { if (args.length) { super(...args); } else { super(now); } }
    static now() { return now; }
};

// Numbers become text by this function, rounded to 15 digits. AWS writes all digits of whole ones, and so does the engine.
const { toPrecision } = Number.prototype;
Number.prototype.toPrecision = function (digits) {
    const n = Number(this);
    return digits === 15 && Number.isInteger(n) && Math.abs(n) < 1e21 ? String(n) : toPrecision.call(this, digits);
};

function isFunction(value) {
    return typeof value === 'function' || (value && (value._jsonata_lambda === true || value._jsonata_function === true));
}
function holdsFunction(value, depth) {
    if (isFunction(value)) { return true; }
    if (depth > 50 || value === null || typeof value !== 'object') { return false; }
    return Object.values(value).some(inner => holdsFunction(inner, depth + 1));
}
function named(key, value) {
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
function failure(e) {
    if (e && e.code) { return { c: e.code, m: e.message, p: e.position }; }
    return { j: String(e && e.message) };
}
// A built-in remembers the name it was called by last, for its messages, across expressions: it is made to forget.
const NAMES = 'sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match \
contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power random boolean not \
map zip filter single reduce sift keys lookup append exists spread merge reverse each error assert type sort shuffle distinct \
base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl eval toMillis fromMillis clone'.split(' ');
let builtins;
async function forget() {
    builtins = builtins || await Promise.all(NAMES.map(name => jsonata('$' + name).evaluate(null)));
    builtins.forEach((builtin, index) => { builtin.token = NAMES[index]; });
}
// An evaluation that goes on for ever is ended. Each part that is evaluated looks for this name in its frame and those around it;
// counting that leaves the order of evaluation as it is, which a callback of that name would not.
const MOST_STEPS = 5_000_000;
const ENTRY = Symbol.for('jsonata.__evaluate_entry');
const { hasOwnProperty } = Object.prototype;
let steps = 0;
Object.prototype.hasOwnProperty = function (name) {
    if (name === ENTRY && ++steps > MOST_STEPS) { throw new Error('it does not come to an end'); }
    return hasOwnProperty.call(this, name);
};
async function answer(expression, document) {
    steps = 0;
    try {
        const value = await jsonata(expression).evaluate(document);
        if (value === undefined) { return {}; }
        return holdsFunction(value, 0) ? { u: 1 } : { v: value };
    } catch (e) {
        return failure(e);
    }
}
async function main() {
    let documents;
    for await (const line of lines) {
        const asked = JSON.parse(line);
        if (documents === undefined) {
            documents = asked.documents.map(text => JSON.stringify(text));
            now = asked.now;
            continue;
        }
        await forget();
        const told = await answer(asked.e, JSON.parse(documents[asked.d]));
        let text;
        try { text = JSON.stringify(told, named); } catch (e) { text = JSON.stringify(failure(e)); }
        process.stdout.write(text + '\n');
    }
}
main();
