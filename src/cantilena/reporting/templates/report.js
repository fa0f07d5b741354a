"use strict";

// Scores, rolls and notes are compressed JSON, unpacked when they come into view.
const bytesOf = (letters) => Uint8Array.from(atob(letters.trim()), (letter) => letter.charCodeAt(0));

async function unpacked(element) {
  const letters = element.querySelector(".packed").textContent;
  const stream = new Blob([bytesOf(letters)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

function drawn(svg) {
  return document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);
}

// The piano: one clip for each pitch, with a release when the key is let go, in a small room.
class Piano {
  constructor(bank) {
    this.bank = bank;
    this.clips = new Map();
    this.sources = [];
  }

  async open() {
    if (!this.context) {
      const Context = window.AudioContext || window.webkitAudioContext;
      this.context = new Context();
      this.out = this.context.createGain();
      const room = this.context.createConvolver();
      room.normalize = false;
      const roomGain = this.context.createGain();
      roomGain.gain.value = this.bank.room_gain;
      this.out.connect(this.context.destination);
      this.out.connect(room).connect(roomGain).connect(this.context.destination);
      room.buffer = await this.decoded(this.bank.room);
      // The gain of a convolver is proportional to the sampling rate.
      roomGain.gain.value *= 32000 / this.context.sampleRate;
    }
    await Promise.race([this.context.resume(), new Promise((done) => setTimeout(done, 1000))]);
  }

  decoded(letters) {
    return this.context.decodeAudioData(bytesOf(letters).buffer);
  }

  async learn(notes) {
    const pitches = new Set(notes.flatMap((note) => note.slice(2)).map(String));
    const missing = [...pitches].filter((pitch) => pitch in this.bank.clips && !this.clips.has(pitch));
    await Promise.all(missing.map(async (pitch) => this.clips.set(pitch, await this.decoded(this.bank.clips[pitch]))));
  }

  play(notes, from) {
    const now = this.context.currentTime + 0.06;
    for (const [onset, end, ...pitches] of notes) {
      if (end <= from) continue;
      for (const pitch of pitches.map(String)) {
        if (!this.clips.has(pitch)) continue;
        const start = now + Math.max(onset - from, 0), stop = now + end - from;
        const source = this.context.createBufferSource(), key = this.context.createGain();
        source.buffer = this.clips.get(pitch);
        key.gain.setValueAtTime(1, start);
        key.gain.setTargetAtTime(0, stop, this.bank.release[pitch] / 6.91);
        source.connect(key).connect(this.out);
        source.start(start, Math.max(from - onset, 0));
        source.stop(stop + this.bank.release[pitch]);
        this.sources.push(source);
      }
    }
    return 0.06 + (this.context.outputLatency || 0);
  }

  stop() {
    for (const source of this.sources) {
      try { source.stop(); } catch { /* it had ended */ }
    }
    this.sources = [];
  }
}

const piano = new Piano(JSON.parse(document.getElementById("piano").textContent));

// A card: one melody with its score, its roll and the position of its cursor.
class Card {
  constructor(element) {
    this.element = element;
    this.button = element.querySelector(".play");
    this.clock = element.querySelector(".clock");
    this.seconds = Number(element.dataset.seconds);
    this.at = 0;
    this.roll = element.querySelector(".roll"); // an excerpt has none
    this.button.addEventListener("click", () => this.toggle());
    this.roll?.addEventListener("click", (event) => this.seek(event));
  }

  toggle() {
    if (playing === this) this.pause();
    else this.play();
  }

  show() {
    this.shown ??= this.unpack();
    return this.shown;
  }

  async unpack() {
    const melody = await unpacked(this.element);
    this.notes = melody.notes;
    this.score = this.element.querySelector(".score");
    this.score.replaceChildren(drawn(melody.score), cursor());
    this.roll?.replaceChildren(drawn(melody.roll), cursor());
    this.heads = melody.heads.map(([id, onset, end]) => ({ group: this.score.querySelector(`[id="${id}"]`), onset, end }));
    this.heads = this.heads.filter((head) => head.group);
    this.bars = this.roll ? barsOf(this.roll) : [];
    this.showPosition();
  }

  async play() {
    if (playing) playing.pause();
    playing = this;
    this.element.classList.add("playing", "started");
    this.press(true);
    await Promise.all([this.show(), piano.open()]);
    await piano.learn(this.notes);
    if (playing !== this) return;
    if (this.at >= this.seconds) this.at = 0;
    const latency = piano.play(this.notes, this.at);
    this.origin = performance.now() / 1000 + latency - this.at;
    this.follow();
  }

  pause() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.ending);
    piano.stop();
    if (playing === this) playing = null;
    this.element.classList.remove("playing");
    this.press(false);
  }

  // The card's own button, and the one in the header.
  press(down) {
    for (const button of [this.button, above.get(this.element.id)]) button?.setAttribute("aria-pressed", String(down));
  }

  follow() {
    this.at = Math.max(performance.now() / 1000 - this.origin, 0);
    if (this.at >= this.seconds) {
      this.at = this.seconds;
      this.showPosition();
      this.ending = setTimeout(() => this.pause(), 1200); // the last note rings
      return;
    }
    this.showPosition();
    this.frame = requestAnimationFrame(() => this.follow());
  }

  // Start where the roll was clicked: at the time of the nearest bar of a note.
  async seek(event) {
    await this.show();
    const box = this.roll.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const nearest = this.bars.reduce((best, bar) => (distance(bar, x) < distance(best, x) ? bar : best), this.bars[0]);
    if (!nearest) return;
    const again = playing === this;
    if (again) this.pause();
    const at = nearest.onset + ((x - nearest.left) / nearest.width) * (nearest.end - nearest.onset);
    this.at = Math.min(Math.max(at, 0), this.seconds);
    this.element.classList.add("started");
    this.showPosition();
    if (again) this.play();
  }

  // Show the position: the clock, the line in the roll, the notes that sound in both.
  showPosition() {
    this.clock.textContent = `${minutes(this.at)} / ${minutes(this.seconds)}`;
    const started = this.element.classList.contains("started");
    const head = lit(this.heads, this.at, started), bar = lit(this.bars, this.at, started) || this.bars[0];
    if (bar) {
      const x = bar.left + ((this.at - bar.onset) / (bar.end - bar.onset)) * bar.width;
      this.roll.lastChild.style.left = `${100 * Math.min(Math.max(x, 0), 1)}%`;
    }
    if (head !== this.latest) this.point(head);
  }

  // The score's cursor: a stripe over the staff at the last note.
  point(head) {
    this.latest = head;
    const stripe = this.score.lastChild.style;
    stripe.display = head ? "block" : "none";
    if (!head) return;
    const page = this.score.getBoundingClientRect(), note = head.group.getBoundingClientRect();
    const staff = (head.group.closest(".staff") || head.group).getBoundingClientRect();
    const middle = (head.group.querySelector(".notehead") || head.group).getBoundingClientRect();
    stripe.left = `${(100 * (middle.left + middle.width / 2 - page.left)) / page.width}%`;
    stripe.top = `${(100 * (Math.min(staff.top, note.top) - page.top - 4)) / page.height}%`;
    stripe.height = `${(100 * (Math.max(staff.bottom, note.bottom) - Math.min(staff.top, note.top) + 8)) / page.height}%`;
  }
}

let playing = null;

// The bars of notes in a roll in time, with their position across it from 0 to 1.
function barsOf(roll) {
  const box = roll.getBoundingClientRect();
  return [...roll.querySelectorAll(".note")].map((group) => {
    const bar = group.getBoundingClientRect();
    const { onset, end } = group.dataset;
    return { group, onset: Number(onset), end: Number(end), left: (bar.left - box.left) / box.width, width: bar.width / box.width };
  });
}

const distance = (bar, x) => Math.max(bar.left - x, x - bar.left - bar.width, 0);

// Highlight what sounds at a time; returns the last that began.
function lit(marks, at, started) {
  let latest = null;
  for (const mark of marks) {
    mark.group.classList.toggle("sounding", started && mark.onset <= at && at < mark.end);
    if (mark.onset <= at + 1e-3) latest = mark;
  }
  return latest;
}

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function cursor() {
  const line = document.createElement("div");
  line.className = "cursor";
  return line;
}

const above = new Map([...document.querySelectorAll(".samples button")].map((button) => [button.dataset.card, button]));
const shows = new Map();
for (const element of document.querySelectorAll(".card")) {
  const card = new Card(element);
  shows.set(element, () => card.show());
  above.get(element.id)?.addEventListener("click", () => {
    card.toggle();
    if (playing === card) element.scrollIntoView({ block: "start", inline: "start" });
  });
}
for (const element of document.querySelectorAll(".shown")) {
  shows.set(element, async () => element.querySelector(".score").replaceChildren(drawn((await unpacked(element)).score)));
}
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((one) => one.isIntersecting)) {
    watcher.unobserve(entry.target);
    shows.get(entry.target)();
  }
}, { rootMargin: "600px" });
for (const element of shows.keys()) watcher.observe(element);
