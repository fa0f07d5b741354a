// Ticks and seconds of a performance, its beats, and the bars that are repeated.

import { barsOf, meterTicks } from "/page/music/music.js";

/** The tick at a time, interpolated between the points of a clock; null after the end. */
export function tickAt(clock, seconds) {
  const after = clock.findIndex((point) => point.seconds > seconds);
  if (after < 0) return null;
  const [a, b] = [clock[Math.max(after - 1, 0)], clock[after]];
  return b.seconds > a.seconds ? a.tick + ((b.tick - a.tick) * Math.max(seconds - a.seconds, 0)) / (b.seconds - a.seconds) : b.tick;
}

/** The time of a tick, in seconds from the start of a clock. */
export function secondsAt(clock, tick) {
  const after = clock.findIndex((point) => point.tick > tick);
  if (after < 0) return clock.at(-1)?.seconds ?? 0;
  const [a, b] = [clock[Math.max(after - 1, 0)], clock[after]];
  return b.tick > a.tick ? a.seconds + ((b.seconds - a.seconds) * Math.max(tick - a.tick, 0)) / (b.tick - a.tick) : b.seconds;
}

/** The beats from a tick until another, which may be before the melody: `[{ tick, isDownbeat }]`. */
export function beatsOf(melody, from, until) {
  const { bar, beat } = meterTicks(melody.meter);
  const beats = [];
  for (let downbeat = (melody.pickup % bar) + Math.floor((from - (melody.pickup % bar)) / bar) * bar; downbeat < until; downbeat += bar) {
    for (let tick = downbeat; tick < Math.min(downbeat + bar, until); tick += beat) {
      if (tick >= from) beats.push({ tick, isDownbeat: tick === downbeat });
    }
  }
  return beats;
}

/** The ticks that a loop repeats: selected bars, or the whole melody. */
export function loopOf(melody, selection) {
  const bars = selection ? barsOf(melody).filter(({ number }) => number >= selection.first && number <= selection.last) : [];
  const [from, to] = bars.length ? [bars[0].start, Math.min(bars.at(-1).end, melody.length)] : [0, melody.length];
  return from < to ? { from, to } : { from: 0, to: melody.length };
}
