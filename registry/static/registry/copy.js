// A button that copies what stands in data-copy: a digest is shown short, and wanted whole.
"use strict";

for (const place of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  const icon = document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  button.type = "button";
  button.setAttribute("aria-label", "Copy the whole digest");
  const say = (name) => { button.innerHTML = `<svg class="icon" aria-hidden="true"><use href="${icon}#${name}"></use></svg>`; };
  say("copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(place.dataset.copy);
    say("check");
    setTimeout(() => say("copy"), 1500);
  });
  place.append(button);
}
