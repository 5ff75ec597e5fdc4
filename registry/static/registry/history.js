// Ticked versions: how many, whether the button can be pressed, rows that stand out. Without this script the form works all the same.
"use strict";

const form = document.getElementById("compare");
if (form) {
  const most = Number(form.dataset.most), boxes = [...document.querySelectorAll("input[form=compare]")];
  const button = document.querySelector("button[form=compare]"), count = button.querySelector("[data-count]");
  const tell = () => {
    const ticked = boxes.filter((box) => box.checked);
    for (const box of boxes) {
      box.closest("tr").classList.toggle("chosen", box.checked);
      box.disabled = !box.checked && ticked.length >= most;
    }
    count.textContent = ticked.length ? `(${ticked.length})` : "";
    button.disabled = ticked.length < 2;
    button.title = ticked.length < 2 ? "Tick two versions or more" : "";
  };
  for (const box of boxes) box.addEventListener("change", tell);
  window.addEventListener("pageshow", tell);  // the browser may have kept the ticks when it goes back
  tell();
}
