// What a page cannot do by itself: go on when something happens, keep its place while the selection moves, and have keys.
// Everything on a page is made by the server; this only fetches pages and puts their parts in place.

const main = () => document.getElementById("main");
const find = (selector) => document.querySelector(selector);

/** Puts the parts of another reading of this page in place; keeps focus, scroll, and forms that somebody is filling in. */
function put(page, whole) {
  const next = page.getElementById("main");
  if (!next) return;
  const focused = document.activeElement?.getAttribute("href") ?? document.activeElement?.id;
  const scrolled = [...document.querySelectorAll("section[id] .scroll")].map((e) => [e.closest("section").id, e.scrollTop, e.scrollLeft]);
  const parts = (within) => [...within.querySelectorAll("section[id]")];
  const same = parts(main()).map((e) => e.id).join() === parts(next).map((e) => e.id).join();
  if (whole || !same) {
    main().replaceChildren(...next.childNodes);
  } else {
    for (const part of parts(next)) {
      const old = document.getElementById(part.id);
      const busy = old.querySelector("details.act[open]") || old.contains(document.activeElement?.closest("form"));
      if (!busy && old.outerHTML !== part.outerHTML) old.replaceWith(part);
    }
  }
  Object.assign(main().dataset, { live: next.dataset.live, seen: next.dataset.seen });
  document.title = page.title;
  for (const [id, top, left] of scrolled) {
    document.getElementById(id)?.querySelector(".scroll")?.scrollTo(left, top);
  }
  if (focused && document.activeElement === document.body) {
    [...document.querySelectorAll("a[href],[id]")].find((e) => e.getAttribute("href") === focused || e.id === focused)?.focus({ preventScroll: true });
  }
}

async function read(address) {
  const answer = await fetch(address, { credentials: "same-origin" });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Another selection on the same page. */
async function select(address, keep) {
  const page = await read(address);
  if (keep) history.pushState(null, "", address);
  put(page, true);
  shown();
  follow();
}

/** What is selected is in sight in each view. */
function shown() {
  for (const row of document.querySelectorAll("tr.chosen, tr.of-chosen, .row[aria-current=true]")) {
    const box = row.closest(".scroll");
    if (box && !box.dataset.placed) box.scrollTop = row.offsetTop - box.clientHeight / 3;
    if (box) box.dataset.placed = "1";
  }
}

// The event stream of the page.
let stream = null;
let reading = null;
function follow() {
  const of = main()?.dataset.live;
  if (stream?.of === of) return;
  stream?.source.close();
  stream = null;
  if (!of || document.hidden) return;
  const source = new EventSource(`/console/live?of=${encodeURIComponent(of)}&seen=${encodeURIComponent(main().dataset.seen)}`);
  stream = { of, source };
  let away = null;
  source.addEventListener("changed", () => {
    reading ??= read(location.href).then((page) => put(page, false)).catch(() => {}).finally(() => { reading = null; follow(); });
  });
  source.addEventListener("gone", (event) => gone(`The engine of this server has stopped: ${event.data}`));
  source.onopen = () => { clearTimeout(away); away = null; gone(""); };
  source.onerror = () => { away ??= setTimeout(() => gone("The server does not answer; what is shown here may be old."), 2500); };
}
function gone(why) { find("#gone").textContent = why; }
document.addEventListener("visibilitychange", follow);

// A click on a selection of this page changes the page in place.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.dataset.input !== undefined) {
    event.preventDefault();
    const field = link.closest(".sheet").querySelector("textarea");
    field.value = link.dataset.input;
    field.focus();
    return;
  }
  const href = link.getAttribute("href");
  const to = new URL(href, location.href);
  if (to.origin !== location.origin || to.pathname !== location.pathname || !to.pathname.startsWith("/console/execution/") || href.startsWith("#")) return;
  event.preventDefault();
  select(to.pathname + to.search, true);
});
addEventListener("popstate", () => select(location.href, false));

// JSON is checked as it is typed.
document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.dataset?.json === undefined) return;
  let why = "";
  try { JSON.parse(field.value); } catch (error) { why = `This is not JSON: ${error.message}`; }
  field.setCustomValidity(why);
  field.setAttribute("aria-invalid", why ? "true" : "false");
});

// The slider goes through the events, as fast as the server shows them; it stays in place itself.
let scrubTo = "";
let scrubs = false;
document.addEventListener("input", async (event) => {
  if (event.target.id !== "scrubber") return;
  const to = new URL(location.href);
  for (const name of ["state", "page", "of"]) to.searchParams.delete(name);
  to.searchParams.set("event", event.target.value);
  scrubTo = to.pathname + to.search;
  if (scrubs) return;
  scrubs = true;
  while (scrubTo) {
    const next = scrubTo;
    scrubTo = "";
    history.replaceState(null, "", next);
    put(await read(next), false);
    shown();
  }
  scrubs = false;
});

// Keys.
const KEYS = {
  "/": ["search executions", () => find("#search").focus()],
  j: ["next event, or execution", () => step(1)],
  k: ["event, or execution, before", () => step(-1)],
  g: ["to the graph", () => go("#graph")],
  t: ["to the timeline", () => go("#timeline")],
  e: ["to the events, or executions", () => go("#events, #executions")],
  d: ["to the data, or definition", () => go("#data, #definition")],
  h: ["home", () => { location.href = "/"; }],
  s: ["to the slider through the events: left and right", () => find("#scrubber").focus()],
  "?": ["these keys", help],
};
function go(selector) {
  const view = find(selector);
  view?.scrollIntoView({ block: "start" });
  (view?.querySelector("[tabindex], a[href], summary") ?? view)?.focus({ preventScroll: true });
}
function step(by) {
  const rows = [...document.querySelectorAll("#events tbody a[href], #executions tbody .name a[href]")];
  const at = rows.findIndex((row) => row === document.activeElement || row.getAttribute("aria-current") === "true");
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  if (!next) return;
  next.focus({ preventScroll: false });
  if (next.closest("#events")) {
    const href = next.getAttribute("href");
    select(href, true).then(() => find(`#events a[href="${CSS.escape(href)}"], #events a[aria-current=true]`)?.focus());
  }
}
function help() {
  const box = document.createElement("dialog");
  box.setAttribute("aria-label", "Keys");
  const list = document.createElement("table");
  for (const [key, [what]] of Object.entries(KEYS)) {
    const row = list.insertRow();
    const name = document.createElement("kbd");
    name.textContent = key;
    row.insertCell().append(name);
    row.insertCell().textContent = what;
  }
  const close = document.createElement("button");
  close.textContent = "Close";
  close.onclick = () => box.close();
  box.append(list, close);
  box.onclose = () => box.remove();
  document.body.append(box);
  box.showModal();
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=range]), textarea, select, [contenteditable]");
  if (typing && event.key === "Escape") event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
  const key = KEYS[event.key];
  if (!key) return;
  event.preventDefault();
  key[1]();
});

shown();
follow();
