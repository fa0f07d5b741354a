"""Speed of reading a folder of MIDI files, compared with music21, and of corpora.

Run: python benchmarks/reading.py [FOLDER] [--sample 12] [--jobs 0]

Without a folder only the corpora are measured. Prints seconds for all files with worker processes, start-up included,
for each way of reading; seconds through music21 on a sample of the files, one after the other in one process, scaled to
all files by their size; the ratio; the peak memory of the parent and of its largest worker; and seconds to load a
corpus, to build its melodies and to search it for near-duplicates. Wall-clock time of one run: let nothing else run on
the machine.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from functools import partial
from itertools import pairwise
from pathlib import Path

from cantilena.data import Corpus, ReadOptions, extract, load_builtin, near_duplicates
from cantilena.runtime import Failure, bounded_map

WAYS = {
    "melody": ReadOptions(),
    "melody, 30 s": ReadOptions(seconds=30),
    "notes and chords, 30 s": ReadOptions(voice="all", seconds=30),
    "as the paper reads, 30 s": ReadOptions(voice="all", reading="paper", seconds=30),
}


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


def music21_seconds(files: list[Path]) -> float:
    """Seconds to parse files and list their notes, music21 imported before."""
    from music21 import converter

    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            _ = list(converter.parse(path, forceSource=True, storePickle=False).flatten().notes)
    return time.perf_counter() - started


def main() -> None:
    """Run the measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--sample", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        measure_files(sorted(arguments.folder.rglob("*.mid")), arguments.sample, arguments.jobs)
    corpus_seconds()


def measure_files(files: list[Path], sampled: int, jobs: int) -> None:
    """Measure the ways of reading, and music21 on a sample of the files."""
    sample = files[:: max(len(files) // sampled, 1)][:sampled]
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
    measured = music21_seconds(sample)
    scaled = measured / share
    print(f"music21: {measured:.1f} s for {len(sample)} files, scaled by size to {scaled:.0f} s for all")
    for name, seconds in taken.items():
        print(f"{name}: {scaled / seconds:.0f} times as fast")


if __name__ == "__main__":
    main()
