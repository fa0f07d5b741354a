// Taking a melody away: as a file, as ABC in the clipboard, as a link.

import { ask } from "/page/api.js";
import { byId, complain, make, say } from "/page/elements.js";
import { address } from "/page/link.js";
import { shownIn, state } from "/page/state.js";

const FILES = [["mid", "MIDI", "play and edit"], ["musicxml", "MusicXML", "notation programs"], ["pdf", "PDF", "print"], ["svg", "SVG", "picture, any size"], ["png", "PNG", "picture"], ["wav", "WAV", "sound"], ["abc", "ABC", "text"]];

/** The buttons that take away what a column shows. */
export function takeaway(column) {
  const list = make("div", { class: "menu-list", hidden: true });
  const open = make("button", { type: "button", "aria-expanded": "false", onclick: () => turn(list.hidden) }, "Download");
  const turn = (isOpen) => {
    list.hidden = !isOpen;
    open.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) list.querySelector("button").focus();
  };
  for (const [kind, name, use] of FILES) {
    list.append(make("button", { type: "button", data: { kind }, onclick: () => { turn(false); open.focus(); download(column, kind); } }, make("span", {}, name), make("span", { class: "soft" }, use)));
  }
  list.append(make("button", { type: "button", data: { kind: "copy" }, onclick: () => { turn(false); open.focus(); copyAbc(column); } }, make("span", {}, "Copy as ABC"), make("span", { class: "soft" }, "clipboard")));
  const menu = make("div", { class: "menu" }, open, list);
  menu.addEventListener("keydown", (event) => {
    const all = [...list.querySelectorAll("button")], at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !list.hidden) { turn(false); open.focus(); }
    else if (step && !list.hidden) all[(at + step + all.length) % all.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", (event) => { if (!menu.contains(event.target)) turn(false); });
  const link = make("button", { type: "button", class: "copy-link", onclick: () => { state.active = Math.max(state.columns.indexOf(column), 0); copy(address(), "The link is copied.", link); } }, "Copy link");
  const parts = document.createDocumentFragment();
  parts.append(link, menu);
  return parts;
}

const exported = (column, kind) => ask(`/api/export/${kind}`, { body: { melody: shownIn(column).melody, expressive: byId("expressive").checked }, as: "answer" });

async function download(column, kind) {
  complain("compose-error");
  try {
    const answer = await exported(column, kind);
    const named = /filename="?([^";]+)"?/.exec(answer.headers.get("Content-Disposition") ?? "");
    const url = URL.createObjectURL(await answer.blob());
    make("a", { href: url, download: named?.[1] ?? `melody.${kind}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  } catch (error) {
    complain("compose-error", error);
  }
}

async function copyAbc(column) {
  try {
    await copy(await (await exported(column, "abc")).text(), "Copied as ABC.");
  } catch (error) {
    complain("compose-error", error);
  }
}

async function copy(text, done, button = null) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without leave to write: a field from which it can be copied by hand.
    prompt("Copy this:", text);
    return;
  }
  say(done);
  if (!button) return;
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label === "Copied" ? "Copy link" : label; }, 1500);
}
