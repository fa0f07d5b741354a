"use strict";

// Before the first paint, so that nothing flashes: the colours and the size that were chosen last.
try {
  const root = document.documentElement;
  root.dataset.theme = localStorage.getItem("cantilena.theme") || "auto";
  root.dataset.large = localStorage.getItem("cantilena.large") || "no";
} catch {
  document.documentElement.dataset.theme = "auto"; // a browser that keeps nothing
}
