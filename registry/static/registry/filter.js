// Shows the fields that filter what is already on the page: <input class="filter-field" data-filters="li"> filters the
// elements of that selector in its menu, box or table by their text. Sections that are left empty go, and "Nothing matches" comes.
"use strict";

for (const field of document.querySelectorAll("input.filter-field")) {
  const around = field.closest("details, .box, section");
  const rows = [...around.querySelectorAll(field.dataset.filters)].filter((row) => !row.contains(field));
  const none = document.createElement("p");
  none.className = "muted small nothing";
  none.setAttribute("role", "status");
  field.classList.add("ready");
  field.after(none);
  const apply = () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    for (const section of around.querySelectorAll("section")) section.hidden = ![...section.querySelectorAll(field.dataset.filters)].some((row) => !row.hidden);
    none.textContent = rows.every((row) => row.hidden) ? "Nothing matches." : "";
  };
  field.addEventListener("input", apply);
  field.form?.addEventListener("reset", () => setTimeout(apply));
  field.closest("details")?.addEventListener("toggle", (event) => { if (event.target.open) field.focus(); });
}
