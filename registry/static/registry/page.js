// Comfort on every page: copy buttons, menus that close, times in the reader's own zone. Nothing here is needed to use a page.
"use strict";

function addCopyButton(snippet) {
  const text = snippet.querySelector("pre");
  if (!text || !navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.innerText.trimEnd() + "\n");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  snippet.append(button);
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(except)) menu.open = false;
}

for (const snippet of document.querySelectorAll(".snippet")) addCopyButton(snippet);
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  closeMenus(null);
  menu?.querySelector("summary").focus();
});
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
}
for (const choice of document.querySelectorAll("select[data-submit]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
