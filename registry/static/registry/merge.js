// All conflicts from one side, and how many are left to decide. Without it, each has its radio buttons.
"use strict";

const decisions = document.querySelector("[data-all]");
const form = decisions?.closest("form");

function countLeft() {
  const rows = [...form.querySelectorAll("fieldset.conflict-sides")];
  const left = rows.filter((row) => !row.querySelector(":checked")).length;
  decisions.querySelector("[data-left]").textContent = left ? `${left} of ${rows.length} to decide` : "All decided";
}

if (decisions) {
  for (const button of decisions.querySelectorAll("[data-side]")) {
    button.addEventListener("click", () => {
      for (const radio of form.querySelectorAll(`fieldset.conflict-sides input[value="${button.dataset.side}"]`)) radio.checked = true;
      countLeft();
    });
  }
  form.addEventListener("change", countLeft);
  countLeft();
  decisions.classList.add("ready");
}
