// A button beside what is worth copying: <… data-copy="text">. A picture of a lineage begins where its version stands.
"use strict";

for (const place of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small secondary copy-this";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(place.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  place.append(" ", button);
}

for (const region of document.querySelectorAll(".lineage")) {
  const here = region.querySelector(".here");
  if (!here) continue;
  const [inner, outer] = [here.getBoundingClientRect(), region.getBoundingClientRect()];
  region.scrollTo({
    left: region.scrollLeft + inner.x - outer.x - (outer.width - inner.width) / 2,
    top: region.scrollTop + inner.y - outer.y - (outer.height - inner.height) / 2,
    behavior: "instant",
  });
}
