// Says while a name is typed (data-name) what of it the grammar does not take, or the address that the thing will have.
"use strict";

function complaint(box) {
  const name = box.value;
  const lower = box.pattern.startsWith("[a-z0-9]");
  if (lower && /[A-Z]/.test(name)) return "No capital letters: write it in lower case.";
  if (/\s/.test(name)) return "No spaces: use a hyphen.";
  if (!/^[A-Za-z0-9]/.test(name)) return "Begin with a letter or digit.";
  if (name.length >= box.maxLength) return `At most ${box.maxLength - 1} characters.`;
  if (!lower && /--|\.\./.test(name)) return "Not two hyphens or dots in a row.";
  if (!lower && /\.git$/i.test(name)) return "Not “.git” at the end.";
  if (!lower && /[._-]$/.test(name)) return "End with a letter or digit.";
  if (!new RegExp(`^(?:${box.pattern})$`).test(name)) {
    return lower ? "Use letters, digits and hyphens alone." : "Use letters, digits and . _ - alone.";
  }
  return "";
}

for (const box of document.querySelectorAll("[data-name]")) {
  const hint = box.closest(".field").querySelector(".hint");
  const tell = () => {
    const wrong = box.value && complaint(box);
    hint.textContent = wrong || (box.value ? `${hint.dataset.above}${box.value}/` : "");
    hint.classList.toggle("bad", Boolean(wrong));
    box.setCustomValidity(wrong || "");
  };
  box.addEventListener("input", tell);
  tell();
}
