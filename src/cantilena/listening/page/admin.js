// The admin page: the progress of the study, updated every few seconds, and export of the answers.

import { request, setKey } from "/page/api.js";
import { byId, make } from "/page/elements.js";
import { ApiError } from "/page/api-error.js";

const INTERVAL_MILLISECONDS = 4000, STORAGE_KEY = "cantilena.admin";

let timer = 0;

async function update() {
  clearTimeout(timer);
  try {
    show(await request("/api/admin/progress"));
    timer = setTimeout(update, INTERVAL_MILLISECONDS);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("progress").hidden = true;
    byId("login").hidden = false;
    byId("login-error").hidden = !byId("key").value;
    byId("login-error").textContent = "The key is not valid. There is a new key whenever the server is started.";
    byId("key").focus();
  }
}

function show(progress) {
  byId("login").hidden = true;
  byId("progress").hidden = false;
  byId("title").textContent = progress.title;
  byId("digest").textContent = progress.digest;
  byId("sum").textContent = `${progress.complete} of ${progress.sessions} sessions are complete. ${progress.consented} listeners agreed to take part, ${progress.began} began the trials, ${progress.finished} finished; ${progress.answers} answers.`;
  byId("complete").value = progress.complete / progress.sessions;
  byId("rows").replaceChildren(...progress.listeners.map((row) => make("tr", {},
    ...[row.listener, row.session, `${row.answered} of ${row.of}`, row.headphones ? "passed" : "not passed"].map((cell) => make("td", {}, String(cell))))));
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  open(byId("key").value.trim());
});

for (const button of document.querySelectorAll("[data-table]")) {
  button.addEventListener("click", async () => {
    const { blob } = await request(`/api/admin/${button.dataset.table}.csv`, { as: "file" });
    const address = URL.createObjectURL(blob);
    make("a", { href: address, download: `${button.dataset.table}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
}

// The key is kept for a reload, as long as the tab is open.
function open(key) {
  setKey(key);
  try {
    sessionStorage.setItem(STORAGE_KEY, key);
  } catch { /* storage is disabled */ }
  update();
}

function storedKey() {
  try {
    return sessionStorage.getItem(STORAGE_KEY) ?? "";
  } catch {
    return "";
  }
}

// The key is removed from the address, where others could read it on the screen.
const key = location.hash.slice(1) || storedKey();
history.replaceState(null, "", "/admin");
if (key) open(key);
else byId("login").hidden = false;
