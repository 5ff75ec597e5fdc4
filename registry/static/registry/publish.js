// The page that publishes: files dropped in are hashed here, sent one by one, and named in the form when they are all there.
import { Refused, send } from "./sending.js";

const form = document.getElementById("publish");
const table = document.getElementById("sending"), body = table.tBodies[0];
const drop = document.getElementById("drop"), go = document.getElementById("go");
const summary = document.getElementById("files-summary"), more = document.getElementById("more"), strip = document.getElementById("strip");
const token = form.elements.csrfmiddlewaretoken.value;
const SHOWN = 200, AT_ONCE = 2;
const files = new Map(); // by path: {path, size, file?, sha256?, done, state, row?, control}
let leaving = false;

// --- What people choose

const PREFIX = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

function size(bytes) {
  const [unit, factor] = Object.entries(PREFIX).findLast(([, one]) => bytes >= one) ?? ["bytes", 1];
  return factor === 1 ? `${bytes} bytes` : `${(bytes / factor).toPrecision(3)} ${unit}`;
}

async function entriesOf(directory) {
  const reader = directory.createReader(), all = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return all;
    all.push(...some);
  }
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    found.push([entry.fullPath.replace(/^\//, ""), file]);
  } else {
    for (const below of await entriesOf(entry)) await walk(below, found);
  }
  return found;
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // before the first await
  if (!entries.length) return [...transfer.files].map((file) => [file.name, file]);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

// The name of the one folder that all of them are in goes, when that is wanted.
function stripped(found) {
  const top = found[0]?.[0].split("/")[0];
  const inside = found.length && found.every(([path]) => path.startsWith(`${top}/`));
  return inside && strip.checked ? found.map(([path, file]) => [path.slice(top.length + 1), file]) : found;
}

function add(found) {
  for (const [path, file] of stripped(found)) {
    remove(path);
    files.set(path, { path, file, size: file.size, done: 0, state: "waits", control: new AbortController() });
  }
  render();
  hashNext();
}

function remove(path) {
  files.get(path)?.control.abort();
  files.get(path)?.row?.remove();
  files.delete(path);
}

// --- Hashing: one file after the other, in a worker

const worker = new Worker(new URL("./hashing.js", import.meta.url), { type: "module" });
let hashing = null;

function hashNext() {
  if (hashing) return;
  hashing = [...files.values()].find((one) => one.state === "waits") ?? null;
  if (!hashing) return;
  set(hashing, "hashing", 0);
  worker.postMessage({ id: hashing.path, file: hashing.file });
}

worker.onmessage = ({ data }) => {
  const one = hashing;
  if (data.done !== undefined) return set(one, "hashing", data.done);
  hashing = null;
  if (files.get(one.path) === one) {
    one.sha256 = data.sha256;
    set(one, data.error ? "failed" : "hashed", 0, data.error && `It cannot be read: ${data.error}`);
  }
  hashNext();
  sendNext();
};

// --- Sending: some at once

function sendNext() {
  const busy = [...files.values()].filter((one) => one.state === "sending" || one.state === "broken").length;
  const next = [...files.values()].filter((one) => one.state === "hashed").slice(0, AT_ONCE - busy);
  for (const one of next) transfer(one);
}

async function transfer(one) {
  set(one, "sending", 0);
  try {
    const how = await send({
      address: form.dataset.uploads, token, file: one.file, sha256: one.sha256, signal: one.control.signal,
      tell: (done) => set(one, "sending", done),
      wait: (said, seconds) => set(one, "broken", one.done, `${said} Trying again in ${seconds} s.`),
    });
    set(one, "stored", one.size, how);
  } catch (error) {
    if (!one.control.signal.aborted) set(one, "failed", 0, error instanceof Refused ? error.message : String(error));
  }
  sendNext();
}

// --- What is shown

const WORDS = { waits: "Waits", hashing: "Hashing", hashed: "Hashed", sending: "Sending", broken: "", stored: "Stored", failed: "" };

function set(one, state, done, said = "") {
  Object.assign(one, { state, done, said });
  show(one);
  sum();
}

function show(one) {
  if (!one.row) return;
  const [, , state] = one.row.cells;
  const share = one.size ? Math.floor(100 * one.done / one.size) : 100;
  const busy = one.state === "hashing" || one.state === "sending";
  state.querySelector(".state").textContent = [WORDS[one.state], busy ? `${share} %` : one.said].filter(Boolean).join(", ");
  state.querySelector(".state").className = `state ${{ stored: "good", failed: "bad", broken: "warn" }[one.state] ?? "muted"}`;
  const bar = state.querySelector("progress");
  bar.hidden = !busy;
  bar.value = share;
}

function row(one) {
  const line = document.createElement("tr");
  for (const text of [one.path, size(one.size), "", ""]) line.insertCell().textContent = text;
  line.cells[1].className = "number";
  const state = document.createElement("span"), bar = document.createElement("progress"), button = document.createElement("button");
  bar.max = 100;
  bar.setAttribute("aria-label", `Progress of ${one.path}`);
  line.cells[2].append(state, bar);
  state.className = "state";
  Object.assign(button, { type: "button", className: "secondary small", textContent: "Remove" });
  button.setAttribute("aria-label", `Remove ${one.path}`);
  button.addEventListener("click", () => { remove(one.path); render(); sendNext(); });
  line.cells[3].append(button);
  return line;
}

function render() {
  const shown = [...files.values()].slice(0, SHOWN);
  for (const one of shown) {
    if (!one.row) { one.row = row(one); show(one); }
    body.append(one.row);
  }
  table.hidden = !files.size;
  more.hidden = files.size <= SHOWN;
  more.textContent = `… and ${(files.size - SHOWN).toLocaleString()} more.`;
  sum();
}

function sum() {
  const all = [...files.values()];
  const stored = all.filter((one) => one.state === "stored"), failed = all.filter((one) => one.state === "failed");
  const bytes = all.reduce((total, one) => total + one.size, 0);
  const failures = failed.length ? `, ${failed.length} failed` : "";
  const said = all.length ? `${stored.length} of ${all.length} file${all.length === 1 ? "" : "s"} stored, ${size(bytes)}${failures}` : "";
  if (summary.textContent !== said) summary.textContent = said;
  const ready = stored.length === all.length;
  go.lastChild.textContent = ready ? "Publish" : "Publish when all files are there";
  if (waiting && ready) submit();
}

// --- Publishing

let waiting = false;

function submit() {
  waiting = false;
  leaving = true;
  form.elements.listed.value = JSON.stringify([...files.values()].map(({ path, sha256, size }) => ({ path, sha256, size })));
  form.elements.files.disabled = true; // the bytes are there already
  go.disabled = true;
  go.lastChild.textContent = "Publishing …";
  form.submit();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!files.size) { summary.textContent = "Choose the files of this version first."; drop.scrollIntoView({ block: "center" }); return; }
  for (const one of files.values()) if (one.state === "failed") set(one, one.sha256 ? "hashed" : "waits", 0);
  waiting = true; // published as soon as the last file is there
  hashNext();
  sendNext();
  sum();
});

addEventListener("beforeunload", (event) => {
  if (!leaving && [...files.values()].some((one) => one.file)) event.preventDefault();
});

drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  add(await dropped(event.dataTransfer));
});
for (const input of [document.getElementById("files"), document.getElementById("folder")]) {
  input.addEventListener("change", () => {
    add([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
    input.value = "";
  });
}

// A form that was refused comes back with the files that had been sent: they are on the server still.
for (const { path, sha256, size: bytes } of JSON.parse(form.elements.listed.value || "[]")) {
  files.set(path, { path, sha256, size: bytes ?? 0, done: 0, state: "stored", said: "sent before", control: new AbortController() });
}
render();
