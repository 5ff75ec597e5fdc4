// Fills a changed file's fold with its comparison when it is opened first; without this, the link in it leads there.
"use strict";

async function fill(fold) {
  const address = fold.dataset.difference;
  if (!address) return;
  delete fold.dataset.difference;
  const link = fold.querySelector("p");
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = document.adoptNode(page.getElementById("difference"));
    part.removeAttribute("id");
    for (const one of part.querySelectorAll("a[href^='?']")) one.setAttribute("href", address + one.getAttribute("href"));
    link.replaceWith(part);
  } catch {
    link.removeAttribute("aria-busy"); // the link is still there
  }
}

for (const fold of document.querySelectorAll("details[data-difference]")) {
  fold.addEventListener("toggle", () => fold.open && fill(fold));
  if (fold.open) fill(fold); // opened before this script came
}
