// A box with data-filter="list" leaves the rows of that list whose data-name has all the words. Enter asks the server, for all pages.
"use strict";

for (const box of document.querySelectorAll("[data-filter]")) {
  const list = document.getElementById(box.dataset.filter);
  const none = document.getElementById(`${box.dataset.filter}-none`);
  if (!list) continue;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let some = false;
    for (const row of list.children) {
      row.hidden = !words.every((word) => row.dataset.name.includes(word));
      some ||= !row.hidden;
    }
    list.hidden = !some;
    none.hidden = some;
  });
}
