"""Speed of reading a folder of MIDI files, and scores in notation, compared with music21, and of corpora.

Run: python benchmarks/reading.py [FOLDER] [--notation FOLDER] [--sample 12] [--jobs 0]

Prints, for a folder of MIDI files, seconds for all files with worker processes, start-up included, for each way of
reading; seconds through music21 on a sample of the files, one after the other in one process, scaled to all files by
their size; the ratio; and the peak memory of the parent and of its largest worker. Then milliseconds of processor time
a piece in ABC, MusicXML and kern (by default the scores that music21 bundles), and how many times as long music21
takes; and seconds to load a corpus, to build its melodies and to search it for near-duplicates. All but those for
notation are wall-clock times of one run: let nothing else run on the machine.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import music21

from cantilena.data import Corpus, ReadOptions, extract, load_builtin, near_duplicates
from cantilena.io import read_score
from cantilena.runtime import Failure, bounded_map

WAYS = {
    "melody": ReadOptions(),
    "melody, 30 s": ReadOptions(seconds=30),
    "notes and chords, 30 s": ReadOptions(voice="all", seconds=30),
    "as the paper reads, 30 s": ReadOptions(voice="all", reading="paper", seconds=30),
}

NOTATION = {"ABC": (".abc",), "MusicXML": (".mxl", ".musicxml", ".xml"), "kern": (".krn",)}


def cantilena_seconds(files: list[Path], options: ReadOptions, jobs: int) -> tuple[float, int, int]:
    """Seconds, files read and notes."""
    started = time.perf_counter()
    outcomes = [outcome for _, outcome in bounded_map(partial(extract, options=options), files, jobs=jobs)]
    seconds = time.perf_counter() - started
    read = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    return seconds, len(read), sum(len(extracted.melody.notes) for melodies in read for extracted in melodies)


def corpus_seconds() -> None:
    """Time loading, building and searching the built-in corpus."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tunes.arrow"
        load_builtin("tunes").save(path)
        times = [time.perf_counter()]
        corpus = Corpus.load(path)
        times.append(time.perf_counter())
        melodies = list(corpus)
        times.append(time.perf_counter())
        near_duplicates(melodies)
        times.append(time.perf_counter())
    load, build, search = (after - before for before, after in pairwise(times))
    print(
        f"{len(corpus):,} melodies: {load:.3f} s to load, {build:.2f} s to build, {search:.2f} s to search for copies"
    )


def music21_seconds(files: list[Path], clock: Callable[[], float] = time.perf_counter) -> tuple[float, int]:
    """Seconds to parse files and list their notes, music21 imported before; and the number of pieces in them."""
    from music21 import converter

    started, pieces = clock(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            parsed = converter.parse(path, forceSource=True, storePickle=False)
            scores = getattr(parsed, "scores", [parsed])
            pieces += len([list(score.flatten().notes) for score in scores])
    return clock() - started, pieces


def notation_seconds(folder: Path, sample: int) -> None:
    """Compare the readers of notation with music21, file by file in one process."""
    for name, suffixes in NOTATION.items():
        files = spread([path for path in sorted(folder.rglob("*")) if path.suffix in suffixes], sample)
        for path in files[:1]:
            read_score(path), music21_seconds([path])  # imports and caches
        ours = theirs = 0.0
        pieces = [0, 0]
        for path in files:
            started = time.process_time()
            pieces[0] += len(read_score(path))
            ours += time.process_time() - started
            seconds, found = music21_seconds([path], time.process_time)
            theirs, pieces[1] = theirs + seconds, pieces[1] + found
        if files:
            print(
                f"{name}: {len(files)} files, {1000 * ours / pieces[0]:.1f} ms of processor time a piece; "
                f"music21: {1000 * theirs / pieces[1]:.0f} ms, {theirs / ours:.0f} times as long",
                flush=True,
            )


def spread(files: list[Path], sample: int) -> list[Path]:
    """So many files at equal distances."""
    return files[:: max(len(files) // sample, 1)][:sample]


def main() -> None:
    """Run the measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--notation", type=Path, default=Path(music21.__file__).parent / "corpus")
    parser.add_argument("--sample", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        measure_files(sorted(arguments.folder.rglob("*.mid")), arguments.sample, arguments.jobs)
    notation_seconds(arguments.notation, arguments.sample)
    corpus_seconds()


def measure_files(files: list[Path], sampled: int, jobs: int) -> None:
    """Measure the ways of reading, and music21 on a sample of the files."""
    sample = spread(files, sampled)
    taken = {}
    for name, options in WAYS.items():
        taken[name], read, notes = cantilena_seconds(files, options, jobs)
        print(f"{name}: {taken[name]:.2f} s for {read} of {len(files)} files, {notes} notes", flush=True)
    kilobyte = 1024
    for whose, who in (("parent", resource.RUSAGE_SELF), ("largest worker", resource.RUSAGE_CHILDREN)):
        print(f"peak memory of the {whose}: {resource.getrusage(who).ru_maxrss * kilobyte / 2**20:.0f} MB")

    sizes = {path: path.stat().st_size for path in files}
    music21_seconds(sample[:1])  # imports and caches
    share = sum(sizes[path] for path in sample) / sum(sizes.values())
    measured, _ = music21_seconds(sample)
    scaled = measured / share
    print(f"music21: {measured:.1f} s for {len(sample)} files, scaled by size to {scaled:.0f} s for all")
    for name, seconds in taken.items():
        print(f"{name}: {scaled / seconds:.0f} times as fast")


if __name__ == "__main__":
    main()
