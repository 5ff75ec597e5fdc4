// Swagger UI's and ReDoc's start scripts wait for elements by means of a style sheet that our policy refuses, and only to add
// what we do not show (a session's buttons, an empty version): here nothing is waited for.
"use strict";

function insertionQ() {
  return { every() {} };
}

// ReDoc asks its maker's server for a logo, which our policy refuses too: that image is given up before anybody is asked.
const image = HTMLImageElement.prototype;
const source = Object.getOwnPropertyDescriptor(image, "src");
const foreign = (address) => /^https?:/.test(address) && new URL(address).origin !== location.origin;

Object.defineProperty(image, "src", {
  ...source,
  set(address) {
    if (foreign(address)) queueMicrotask(() => this.dispatchEvent(new Event("error")));
    else source.set.call(this, address);
  },
});
image.setAttribute = function (name, value) {
  if (name !== "src" || !foreign(value)) Element.prototype.setAttribute.call(this, name, value);
};
