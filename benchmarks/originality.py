"""Speed of the search for copies in a million notes, against a dictionary of n-grams in plain Python.

    python benchmarks/originality.py [--notes 1000000] [--melodies 10000] [--repeats 3] [--plain 50]

The corpus repeats the built-in one with one note in 16 changed at random, until it has so many notes; the queries are
excerpts of a hundred notes, changed again. Prints seconds of CPU time on one thread to index and to search, after a
first call that compiles the loops, and the time of plain Python for a few melodies, extrapolated to all. The plain
search finds only runs of at least four pairs, which saves most of its work, and is also a check: both must find runs of
the same length.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from cantilena.data import load_builtin
from cantilena.metrics import CopyIndex
from cantilena.music import HOLD, Line
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
EXCERPT = 100
VARIED = 16
SHORTEST = 4
Pair = tuple[int, int]
Tokens = NDArray[np.int64]


def plain_index(corpus: list[list[Pair]]) -> dict[tuple[Pair, ...], list[tuple[int, int]]]:
    """Return the positions of each run of four pairs in the corpus."""
    positions: dict[tuple[Pair, ...], list[tuple[int, int]]] = {}
    for number, pairs in enumerate(corpus):
        for position in range(len(pairs) - SHORTEST + 1):
            positions.setdefault(tuple(pairs[position : position + SHORTEST]), []).append((number, position))
    return positions


def plain_longest(
    pairs: list[Pair], corpus: list[list[Pair]], positions: dict[tuple[Pair, ...], list[tuple[int, int]]]
) -> int:
    """Return the number of notes of the longest copied run; 0 if it has fewer than four pairs."""
    longest = 0
    for begin in range(len(pairs) - SHORTEST + 1):
        for number, position in positions.get(tuple(pairs[begin : begin + SHORTEST]), []):
            other, same = corpus[number], SHORTEST
            most = min(len(pairs) - begin, len(other) - position)
            while same < most and pairs[begin + same] == other[position + same]:
                same += 1
            longest = max(longest, same + 1)
    return longest


def pairs_of(tokens: Tokens) -> list[Pair]:
    """Return the (interval, time to the next note) pairs of a melody."""
    steps = np.flatnonzero(tokens > HOLD)
    return list(zip(np.diff(tokens[steps]).tolist(), np.diff(steps).tolist(), strict=True))


def varied(tokens: Tokens, rng: np.random.Generator) -> Tokens:
    """Change some notes of a melody by up to two semitones."""
    moved = (tokens > HOLD) & (rng.random(len(tokens)) < 1 / VARIED)
    return np.where(moved, np.clip(tokens + rng.integers(-2, 3, len(tokens)), HOLD + 1, 129), tokens)


def varied_corpus(tunes: list[Tokens], notes: int, rng: np.random.Generator) -> list[Tokens]:
    """Return varied tunes with so many notes in total."""
    corpus: list[Tokens] = []
    while notes > 0:
        corpus.append(varied(tunes[len(corpus) % len(tunes)], rng))
        notes -= int(np.count_nonzero(corpus[-1] > HOLD))
    return corpus


def varied_excerpts(tunes: list[Tokens], melodies: int, rng: np.random.Generator) -> list[Tokens]:
    """Return varied excerpts of a hundred notes, or of whole tunes if they have fewer."""
    excerpts = []
    for number in rng.integers(len(tunes), size=melodies):
        onsets = np.flatnonzero(tunes[number] > HOLD)
        begin = int(rng.integers(max(len(onsets) - EXCERPT, 0) + 1))
        end = onsets[begin + EXCERPT] if begin + EXCERPT < len(onsets) else len(tunes[number])
        excerpts.append(varied(tunes[number][onsets[begin] : end], rng))
    return excerpts


def lines_of(melodies: list[Tokens], batch: int = 512) -> list[Line]:
    """Return melodies as batches of lines of similar length."""
    lines = []
    for begin in range(0, len(melodies), batch):
        part = melodies[begin : begin + batch]
        length = np.array([len(tokens) for tokens in part])
        padded = np.full((len(part), int(length.max())), HOLD)
        for row, tokens in zip(padded, part, strict=True):
            row[: len(tokens)] = tokens
        lines.append(GRID.line(padded, length))
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=1_000_000)
    parser.add_argument("--melodies", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain", type=int, default=50, help="melodies searched in plain Python")
    options = parser.parse_args()

    rng = generator(1, "originality")
    tunes = [GRID.encode(melody) for melody in load_builtin("tunes").melodies()]
    corpus = sorted(varied_corpus(tunes, options.notes, rng), key=len)
    excerpts = varied_excerpts(tunes, options.melodies, rng)
    lines, queries = lines_of(corpus), lines_of(excerpts, len(excerpts))[0]

    began = time.perf_counter()
    CopyIndex.from_lines(lines[0]).copies(queries[:1])
    first = time.perf_counter() - began

    indexing, searching = [], []
    for _ in range(options.repeats):
        began = time.process_time()
        index = CopyIndex.from_lines(lines)
        indexing.append(time.process_time() - began)
        began = time.process_time()
        copies = index.copies(queries)
        searching.append(time.process_time() - began)
    index_time, search_time = float(np.median(indexing)), float(np.median(searching))

    plain = [pairs_of(tokens) for tokens in corpus]
    began = time.process_time()
    positions = plain_index(plain)
    plain_index_time = time.process_time() - began
    some = [pairs_of(tokens) for tokens in excerpts[: options.plain]]
    began = time.process_time()
    longest = [plain_longest(pairs, plain, positions) for pairs in some]
    plain_search_time = (time.process_time() - began) / len(some) * len(excerpts)
    for found, expected in zip(copies.notes, longest, strict=False):
        assert found == expected or max(found, expected) <= SHORTEST, (found, expected)

    notes = len(index.step)
    total = index_time + search_time
    plain_total = plain_index_time + plain_search_time
    print(f"first call     {first:10.2f} s")
    print(f"index          {index_time:10.2f} s ({notes:,} notes in {len(corpus):,} melodies)")
    print(f"search         {search_time:10.2f} s ({len(excerpts):,} melodies, {copies.out_of.sum():,} notes)")
    print(f"plain index    {plain_index_time:10.2f} s")
    print(f"plain search   {plain_search_time:10.2f} s (from {len(some)} melodies)")
    print(f"ratio          {plain_total / total:10.1f} (search alone {plain_search_time / search_time:.1f})")


if __name__ == "__main__":
    main()
