"use strict";

// Restore the theme and the size before the first paint, so that nothing flashes.
try {
  const root = document.documentElement;
  root.dataset.theme = localStorage.getItem("cantilena.theme") || "auto";
  root.dataset.large = localStorage.getItem("cantilena.large") || "no";
} catch {
  document.documentElement.dataset.theme = "auto"; // local storage may be blocked
}
