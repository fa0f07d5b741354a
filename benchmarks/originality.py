"""How fast copies are found in a million notes, against a dictionary of n-grams in plain Python.

Run: python benchmarks/originality.py [--notes 1000000] [--melodies 10000] [--repeats 3] [--plain 50]

The corpus is the built-in one again and again, each time with every 16th note moved by chance, until it has so many
notes; the melodies are excerpts of a hundred notes, varied once more. Prints seconds of processor time, on one thread,
to index and to search, each after a first call that compiles the loops; and how long plain Python takes for a few of
the melodies, as if it took as long for each of all. The plain search knows runs of four pairs or more alone, which
spares it most of the work, and is also a check: both must find runs of the same length.
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
    """Where each run of four pairs is in the corpus."""
    places: dict[tuple[Pair, ...], list[tuple[int, int]]] = {}
    for number, pairs in enumerate(corpus):
        for place in range(len(pairs) - SHORTEST + 1):
            places.setdefault(tuple(pairs[place : place + SHORTEST]), []).append((number, place))
    return places


def plain_longest(
    pairs: list[Pair], corpus: list[list[Pair]], places: dict[tuple[Pair, ...], list[tuple[int, int]]]
) -> int:
    """How many notes the longest copied run has; 0 where it has under four pairs."""
    longest = 0
    for begin in range(len(pairs) - SHORTEST + 1):
        for number, place in places.get(tuple(pairs[begin : begin + SHORTEST]), []):
            other, same = corpus[number], SHORTEST
            most = min(len(pairs) - begin, len(other) - place)
            while same < most and pairs[begin + same] == other[place + same]:
                same += 1
            longest = max(longest, same + 1)
    return longest


def pairs_of(tokens: Tokens) -> list[Pair]:
    """The (interval, time to the next note) pairs of a melody."""
    steps = np.flatnonzero(tokens > HOLD)
    return list(zip(np.diff(tokens[steps]).tolist(), np.diff(steps).tolist(), strict=True))


def varied(tokens: Tokens, rng: np.random.Generator) -> Tokens:
    """A melody in which some notes are moved by up to two semitones."""
    moved = (tokens > HOLD) & (rng.random(len(tokens)) < 1 / VARIED)
    return np.where(moved, np.clip(tokens + rng.integers(-2, 3, len(tokens)), HOLD + 1, 129), tokens)


def corpus_of(tunes: list[Tokens], notes: int, rng: np.random.Generator) -> list[Tokens]:
    """Varied tunes that have so many notes together."""
    corpus: list[Tokens] = []
    while notes > 0:
        corpus.append(varied(tunes[len(corpus) % len(tunes)], rng))
        notes -= int(np.count_nonzero(corpus[-1] > HOLD))
    return corpus


def excerpts_of(tunes: list[Tokens], melodies: int, rng: np.random.Generator) -> list[Tokens]:
    """Varied excerpts, of a hundred notes where a tune has as many."""
    excerpts = []
    for number in rng.integers(len(tunes), size=melodies):
        onsets = np.flatnonzero(tunes[number] > HOLD)
        begin = int(rng.integers(max(len(onsets) - EXCERPT, 0) + 1))
        end = onsets[begin + EXCERPT] if begin + EXCERPT < len(onsets) else len(tunes[number])
        excerpts.append(varied(tunes[number][onsets[begin] : end], rng))
    return excerpts


def lines_of(melodies: list[Tokens], together: int = 512) -> list[Line]:
    """Melodies as lines of about equal length."""
    lines = []
    for begin in range(0, len(melodies), together):
        part = melodies[begin : begin + together]
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
    parser.add_argument("--plain", type=int, default=50, help="melodies that plain Python searches")
    options = parser.parse_args()

    rng = generator(1, "originality")
    tunes = [GRID.encode(melody) for melody in load_builtin("tunes").melodies()]
    corpus = sorted(corpus_of(tunes, options.notes, rng), key=len)
    excerpts = excerpts_of(tunes, options.melodies, rng)
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
    places = plain_index(plain)
    plain_index_time = time.process_time() - began
    some = [pairs_of(tokens) for tokens in excerpts[: options.plain]]
    began = time.process_time()
    longest = [plain_longest(pairs, plain, places) for pairs in some]
    plain_search_time = (time.process_time() - began) / len(some) * len(excerpts)
    for found, expected in zip(copies.notes, longest, strict=False):
        assert found == expected or max(found, expected) <= SHORTEST, (found, expected)

    notes = len(index.step)
    together = index_time + search_time
    plain_together = plain_index_time + plain_search_time
    print(f"first call     {first:10.2f} s")
    print(f"index          {index_time:10.2f} s ({notes:,} notes in {len(corpus):,} melodies)")
    print(f"search         {search_time:10.2f} s ({len(excerpts):,} melodies, {copies.out_of.sum():,} notes)")
    print(f"plain index    {plain_index_time:10.2f} s")
    print(f"plain search   {plain_search_time:10.2f} s (from {len(some)} melodies)")
    print(f"ratio          {plain_together / together:10.1f} (search alone {plain_search_time / search_time:.1f})")


if __name__ == "__main__":
    main()
