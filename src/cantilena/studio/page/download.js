// Export a melody: as a file, as ABC in the clipboard, as a link.

import { request } from "/page/api.js";
import { byId, showError, make, announce } from "/page/elements.js";
import { shareUrl } from "/page/link.js";
import { transport } from "/page/music/transport.js";
import { shownCandidate, state } from "/page/state.js";

const FILES = [["mid", "MIDI", "play and edit"], ["musicxml", "MusicXML", "notation programs"], ["pdf", "PDF", "print"], ["svg", "SVG", "picture, any size"], ["png", "PNG", "picture"], ["wav", "WAV", "sound"], ["abc", "ABC", "text"]];

/** Create the buttons that export what a column shows. */
export function downloadButtons(column) {
  const list = make("div", { class: "menu-list", hidden: true });
  const open = make("button", { type: "button", "aria-expanded": "false", onclick: () => toggle(list.hidden) }, "Download");
  const toggle = (isOpen) => {
    list.hidden = !isOpen;
    open.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) list.querySelector("button").focus();
  };
  for (const [kind, name, use] of FILES) {
    list.append(make("button", { type: "button", data: { kind }, onclick: () => { toggle(false); open.focus(); download(column, kind); } }, make("span", {}, name), make("span", { class: "soft" }, use)));
  }
  list.append(make("button", { type: "button", data: { kind: "copy" }, onclick: () => { toggle(false); open.focus(); copyAbc(column); } }, make("span", {}, "Copy as ABC"), make("span", { class: "soft" }, "clipboard")));
  const menu = make("div", { class: "menu" }, open, list);
  menu.addEventListener("keydown", (event) => {
    const all = [...list.querySelectorAll("button")], at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !list.hidden) { toggle(false); open.focus(); }
    else if (step && !list.hidden) all[(at + step + all.length) % all.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", (event) => { if (!menu.contains(event.target)) toggle(false); });
  const link = make("button", { type: "button", class: "copy-link", onclick: () => { state.active = Math.max(state.columns.indexOf(column), 0); copy(shareUrl(), "Link copied.", link); } }, "Copy link");
  const parts = document.createDocumentFragment();
  parts.append(link, menu);
  return parts;
}

/** Export what a column shows, played as it is heard but at its own tempo: `{ name, blob }`. */
export async function exportFile(column, kind) {
  const { instrument, accompaniment } = transport;
  const body = { melody: shownCandidate(column).melody, expressive: byId("expressive").checked, instrument, accompaniment };
  const response = await request(`/api/export/${kind}`, { body, as: "response" });
  const name = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "");
  return { name: name?.[1] ?? `melody.${kind}`, blob: await response.blob() };
}

/** Save a file of `exportFile`. */
export function saveFile({ name, blob }) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function download(column, kind) {
  showError("compose-error");
  try {
    saveFile(await exportFile(column, kind));
  } catch (error) {
    showError("compose-error", error);
  }
}

async function copyAbc(column) {
  try {
    await copy(await (await exportFile(column, "abc")).blob.text(), "Copied as ABC.");
  } catch (error) {
    showError("compose-error", error);
  }
}

async function copy(text, message, button = null) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without permission for the clipboard: show a field to copy from.
    prompt("Copy this:", text);
    return;
  }
  announce(message);
  if (!button) return;
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label === "Copied" ? "Copy link" : label; }, 1500);
}
