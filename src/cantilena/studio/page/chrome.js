// What surrounds the music: tabs, colours of the page, size, dialogs, and whether the studio answers.

import { byId } from "/page/elements.js";
import { on } from "/page/state.js";

const THEMES = { auto: ["Auto", "as the system"], light: ["Light", "light"], dark: ["Dark", "dark"] };
const root = document.documentElement;

/** Listen to the tabs, the head of the page and the dialogs. */
export function listenToChrome() {
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
  // The address holds the state of the page: a jump must not write over it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("music").focus();
  });
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    put("theme", names[(names.indexOf(root.dataset.theme) + 1) % names.length]);
  });
  byId("large").addEventListener("click", () => put("large", root.dataset.large === "yes" ? "no" : "yes"));
  byId("open-help").addEventListener("click", () => byId("help").showModal());
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector(".shut").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  byId("fold").addEventListener("click", (event) => {
    const isFolded = document.querySelector(".dock").classList.toggle("folded");
    event.target.setAttribute("aria-expanded", String(!isFolded));
    event.target.textContent = isFolded ? "Show piano" : "Fold piano";
  });
  new ResizeObserver(([dock]) => root.style.setProperty("--dock", `${dock.target.offsetHeight}px`)).observe(document.querySelector(".dock"));
  on("gone", () => {
    byId("banner").hidden = false;
    byId("banner").textContent = "The studio does not answer. Trying again …";
  });
  on("back", () => { byId("banner").hidden = true; });
  name();
}

function openTab(tabs, chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
}

function put(setting, value) {
  root.dataset[setting] = value;
  try {
    localStorage.setItem(`cantilena.${setting}`, value);
  } catch { /* a browser that keeps nothing: it holds until the page is closed */ }
  name();
}

function name() {
  const [label, words] = THEMES[root.dataset.theme] ?? THEMES.auto;
  byId("theme").textContent = label;
  byId("theme").setAttribute("aria-label", `Colours: ${words}`);
  byId("large").setAttribute("aria-pressed", String(root.dataset.large === "yes"));
}
