// The frame of the page: tabs, theme, size, dialogs, and the connection to the server.

import { byId } from "/page/elements.js";
import { on } from "/page/state.js";

const THEMES = { auto: ["Auto", "as the system"], light: ["Light", "light"], dark: ["Dark", "dark"] };
const root = document.documentElement;

/** Set up the tabs, the header and the dialogs. */
export function initChrome() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => openTab(tabs, tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      openTab(tabs, next);
      next.focus();
    });
  }
  // The URL fragment holds the state of the page: the link must not overwrite it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("music").focus();
  });
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    store("theme", names[(names.indexOf(root.dataset.theme) + 1) % names.length]);
  });
  byId("large").addEventListener("click", () => store("large", root.dataset.large === "yes" ? "no" : "yes"));
  byId("open-help").addEventListener("click", () => byId("help").showModal());
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  byId("toggle-piano").addEventListener("click", (event) => {
    const isFolded = document.querySelector(".dock").classList.toggle("folded");
    event.target.setAttribute("aria-expanded", String(!isFolded));
    event.target.textContent = isFolded ? "Show piano" : "Hide piano";
  });
  new ResizeObserver(([dock]) => root.style.setProperty("--dock", `${dock.target.offsetHeight}px`)).observe(document.querySelector(".dock"));
  on("offline", () => {
    byId("banner").hidden = false;
    byId("banner").textContent = "The studio is not responding. Reconnecting …";
  });
  on("online", () => { byId("banner").hidden = true; });
  updateLabels();
}

function openTab(tabs, chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
}

function store(setting, value) {
  root.dataset[setting] = value;
  try {
    localStorage.setItem(`cantilena.${setting}`, value);
  } catch { /* local storage may be blocked: the setting lasts until the page is closed */ }
  updateLabels();
}

function updateLabels() {
  const [label, description] = THEMES[root.dataset.theme] ?? THEMES.auto;
  byId("theme").textContent = label;
  byId("theme").setAttribute("aria-label", `Theme: ${description}`);
  byId("large").setAttribute("aria-pressed", String(root.dataset.large === "yes"));
}
