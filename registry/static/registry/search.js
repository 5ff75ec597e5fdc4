// What is found while one types into the box on top, as a listbox below it; “/” leads to the box. Enter alone submits as ever.
"use strict";

const SHORTEST = 2, PAUSE = 150; // characters, ms
const box = document.querySelector(".bar .search input");
const list = document.createElement("ul");
const told = document.createElement("span");
let asked = 0, pause, waiting, shown = "";

list.id = "found";
list.className = "found";
list.hidden = true;
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Found");
told.className = "hidden-label";
told.setAttribute("aria-live", "polite"); // no role of its own: the page has a status too
box.after(list, told);
for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": "found", "aria-autocomplete": "list", "aria-haspopup": "listbox" })) {
  box.setAttribute(name, value);
}

function options() {
  return [...list.querySelectorAll("[role=option]:not([aria-disabled])")];
}

function open(yes) {
  list.hidden = !yes;
  box.setAttribute("aria-expanded", String(yes));
  if (!yes) choose(null);
}

function choose(option) {
  for (const one of list.children) one.setAttribute("aria-selected", String(one === option));
  if (option) {
    box.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else {
    box.removeAttribute("aria-activedescendant");
  }
}

function forget() {
  asked += 1;
  clearTimeout(pause);
  waiting?.abort();
}

async function ask(words) {
  const mine = ++asked;
  waiting?.abort();
  waiting = new AbortController();
  try {
    const address = `${box.form.action}?${new URLSearchParams({ q: words, fragment: "1" })}`;
    const answer = await fetch(address, { signal: waiting.signal, redirect: "error", headers: { Accept: "text/html" } });
    const html = answer.ok ? await answer.text() : "";
    if (mine === asked) show(words, html);
  } catch (error) {
    if (mine === asked && error.name !== "AbortError") open(false); // the box still works by Enter
  }
}

function show(words, html) {
  list.innerHTML = html;
  shown = words;
  const some = list.children.length > 0 && document.activeElement === box;
  open(some);
  const count = Math.max(options().length - 1, 0);
  told.textContent = some ? (count ? `${count} found, arrow keys to choose` : "Nothing found") : "";
}

function move(step) {
  const all = options();
  if (!all.length) return;
  const now = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
  const next = now + step;
  choose(next < -1 ? all.at(-1) : next === -1 || next === all.length ? null : all[next]);
}

box.addEventListener("input", () => {
  forget();
  const words = box.value.trim();
  if (words.length < SHORTEST) {
    shown = told.textContent = "";
    open(false);
  } else {
    pause = setTimeout(() => ask(words), PAUSE);
  }
});
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const chosen = list.querySelector("[aria-selected=true]");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (list.hidden && shown && shown === box.value.trim()) open(true);
    if (list.hidden) return;
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && chosen && !list.hidden) {
    event.preventDefault();
    location.assign(chosen.dataset.address);
  } else if (event.key === "Escape" && !list.hidden) {
    event.preventDefault(); // a search box would empty itself
    forget();
    open(false);
  }
});
box.addEventListener("blur", () => { forget(); open(false); });
box.addEventListener("focus", () => { if (shown && shown === box.value.trim() && list.children.length) open(true); });
list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
list.addEventListener("click", (event) => {
  const option = event.target.closest("[data-address]");
  if (!option) return;
  if (event.ctrlKey || event.metaKey) window.open(option.dataset.address, "_blank", "noopener");
  else location.assign(option.dataset.address);
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
  box.select();
});
