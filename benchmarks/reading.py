"""How fast a folder of MIDI files is read, against the same files through music21.

Run: python benchmarks/reading.py FOLDER [--sample 12] [--jobs 0]

Prints seconds for all files with our worker processes, start-up included, for each way of reading; seconds through
music21 on a sample of the files, one after the other in one process as it works, scaled to all files by their size;
the ratio; and the peak memory of the parent and of its largest worker. Wall-clock time of one run on one machine:
let nothing else run beside it.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from functools import partial
from pathlib import Path

from cantilena.data import ReadOptions, extract
from cantilena.runtime import Failure, bounded_map

WAYS = {
    "melody": ReadOptions(),
    "melody, 30 s": ReadOptions(seconds=30),
    "notes and chords, 30 s": ReadOptions(voice="all", seconds=30),
    "as the paper reads, 30 s": ReadOptions(voice="all", reading="paper", seconds=30),
}


def ours(files: list[Path], options: ReadOptions, jobs: int) -> tuple[float, int, int]:
    """Seconds, files read and notes."""
    started = time.perf_counter()
    outcomes = [outcome for _, outcome in bounded_map(partial(extract, options=options), files, jobs=jobs)]
    seconds = time.perf_counter() - started
    read = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    return seconds, len(read), sum(len(extracted.melody.notes) for found in read for extracted in found)


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
    """Read a folder both ways and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=0)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.rglob("*.mid"))
    sample = files[:: max(len(files) // arguments.sample, 1)][: arguments.sample]

    taken = {}
    for name, options in WAYS.items():
        taken[name], read, notes = ours(files, options, arguments.jobs)
        print(f"{name}: {taken[name]:.2f} s for {read} of {len(files)} files, {notes} notes", flush=True)
    kilobyte = 1024
    for whose, who in (("parent", resource.RUSAGE_SELF), ("largest worker", resource.RUSAGE_CHILDREN)):
        print(f"peak memory of the {whose}: {resource.getrusage(who).ru_maxrss * kilobyte / 2**20:.0f} MB")

    sizes = {path: path.stat().st_size for path in files}
    music21_seconds(sample[:1])  # imports, and whatever it keeps
    share = sum(sizes[path] for path in sample) / sum(sizes.values())
    measured = music21_seconds(sample)
    scaled = measured / share
    print(f"music21: {measured:.1f} s for {len(sample)} files, scaled by size to {scaled:.0f} s for all")
    for name, seconds in taken.items():
        print(f"{name}: {scaled / seconds:.0f} times as fast")


if __name__ == "__main__":
    main()
