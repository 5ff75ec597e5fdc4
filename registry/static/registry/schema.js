// Swagger UI's and ReDoc's start scripts wait for elements by means of a style sheet that our policy refuses, and only to add
// what we do not show (a session's buttons, an empty version): here nothing is waited for.
"use strict";

function insertionQ() {
  return { every() {} };
}

// ReDoc asks its maker's server for a logo, which our policy refuses too: that image is given up before anybody is asked.
const setAttribute = HTMLImageElement.prototype.setAttribute;
HTMLImageElement.prototype.setAttribute = function (name, value) {
  if (name !== "src" || new URL(value, location.href).origin === location.origin || /^data:/.test(value)) {
    setAttribute.call(this, name, value);
  } else {
    queueMicrotask(() => this.dispatchEvent(new Event("error")));
  }
};
