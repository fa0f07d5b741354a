// How far the study has come, every few seconds, and the answers as tables.

import { ask, useKey } from "/page/ask.js";
import { byId, make } from "/page/elements.js";
import { ApiError } from "/page/api-error.js";

const OFTEN = 4000, KEY = "cantilena.admin";

let timer = 0;

async function look() {
  clearTimeout(timer);
  try {
    show(await ask("/api/admin/progress"));
    timer = setTimeout(look, OFTEN);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("progress").hidden = true;
    byId("door").hidden = false;
    byId("door-error").hidden = !byId("key").value;
    byId("door-error").textContent = "That is not the key: it is new whenever the server is started.";
    byId("key").focus();
  }
}

function show(progress) {
  byId("door").hidden = true;
  byId("progress").hidden = false;
  byId("title").textContent = progress.title;
  byId("digest").textContent = progress.digest;
  byId("sum").textContent = `${progress.complete} of ${progress.sessions} sessions are complete. ${progress.consented} agreed to take part, ${progress.began} began the trials, ${progress.finished} finished; ${progress.answers} answers.`;
  byId("complete").value = progress.complete / progress.sessions;
  byId("rows").replaceChildren(...progress.listeners.map((row) => make("tr", {},
    ...[row.listener, row.session, `${row.answered} of ${row.of}`, row.headphones ? "passed" : "not passed"].map((cell) => make("td", {}, String(cell))))));
}

byId("door").addEventListener("submit", (event) => {
  event.preventDefault();
  open(byId("key").value.trim());
});

for (const button of document.querySelectorAll("[data-table]")) {
  button.addEventListener("click", async () => {
    const { blob } = await ask(`/api/admin/${button.dataset.table}.csv`, { as: "file" });
    const address = URL.createObjectURL(blob);
    make("a", { href: address, download: `${button.dataset.table}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
}

// A page that is loaded again still has the key; it goes with the tab.
function open(key) {
  useKey(key);
  try {
    sessionStorage.setItem(KEY, key);
  } catch { /* a browser that keeps nothing */ }
  look();
}

function remembered() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

// The key leaves the address, so that it is not shown to whoever looks at the screen.
const key = location.hash.slice(1) || remembered();
history.replaceState(null, "", "/admin");
if (key) open(key);
else byId("door").hidden = false;
