// A handle that drags a melody as a MIDI file into another program; a click downloads it.

import { announce, make, showError } from "/page/elements.js";
import { exportFile, saveFile } from "/page/download.js";
import { shownCandidate } from "/page/state.js";

const MIME = "audio/midi";

/** Create the handle of a column. A drag must have its data at once: the file is prepared when the pointer comes near. */
export function midiHandle(column) {
  let prepared = null;
  const prepare = async () => {
    const melody = shownCandidate(column)?.melody;
    if (!melody) return;
    const own = { melody, file: null };
    prepared = own;
    const { name, blob } = await exportFile(column, "mid");
    own.file = { name, url: await dataUrl(blob) };
  };
  const quietly = () => { prepare().catch(() => { prepared = null; }); };
  const handle = make("button", {
    type: "button", class: "drag-midi", draggable: "true", title: "Drag into another program, or click to download",
    onpointerenter: quietly, onpointerdown: quietly, onfocus: quietly,
    onclick: () => exportFile(column, "mid").then(saveFile).catch((error) => showError("compose-error", error)),
    ondragstart: (event) => {
      if (!prepared?.file || prepared.melody !== shownCandidate(column)?.melody) {
        event.preventDefault();
        announce("The file is being prepared. Drag again.");
        return;
      }
      const { name, url } = prepared.file;
      event.dataTransfer.effectAllowed = "copy";
      event.dataTransfer.setData("DownloadURL", `${MIME}:${name}:${url}`);
    },
  }, "Drag MIDI");
  return handle;
}

// A data URL needs no server: other programs may fetch it after the page is closed.
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}
