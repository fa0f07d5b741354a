"""Read damaged scores in ABC, MusicXML and kern as `cantilena corpus read` does, and count what becomes of them.

    python scripts/fuzz_readers.py [--count 10000] [--seed 1] [--formats .abc .mxl] [--scores FOLDER ...] [--out DIR]

Each piece is read in a worker process with limits of time and memory. A piece that cannot be read must say why: what
ends in a traceback, takes longer than --seconds or loses its worker is a failure. Failures are saved in --out, and the
exit status is 1 if there are any. The scores that are damaged are small ones of the package, and those of --scores.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from cantilena.data import ReadOptions
from cantilena.data.extraction import extract_piece
from cantilena.errors import ScoreError
from cantilena.io.pieces import PieceSource, pieces_of
from cantilena.runtime import Failure, bounded_map
from damaged_scores import DEFAULT_SIZE, FORMATS, damaged, small_scores

BATCH = 500


def scores_in(folders: Sequence[Path]) -> dict[str, list[bytes]]:
    """Return the scores in some folders by format."""
    found = defaultdict(list)
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in FORMATS):
        found[path.suffix].append(path.read_bytes())
    return found


def read(paths: Sequence[Path], jobs: int, seconds: float, memory: int) -> Iterator[tuple[Path, object]]:
    """Yield the outcome of each piece in some files, with its file."""
    owners: list[Path] = []
    refused: list[tuple[Path, Failure]] = []

    def pieces() -> Iterator[PieceSource]:
        for path in paths:
            try:
                for piece in pieces_of(path):
                    owners.append(path)
                    yield piece
            except ScoreError as error:
                refused.append((path, Failure(error.text, error.hint)))

    task = partial(extract_piece, options=ReadOptions())
    for index, outcome in bounded_map(task, pieces(), jobs=jobs, seconds=seconds, memory=memory):
        yield owners[index], outcome
    yield from refused


def is_failure(outcome: object) -> bool:
    """Whether a reader did not say why it cannot read a score."""
    if not isinstance(outcome, Failure):
        return False
    return bool(outcome.trace) or outcome.reason.startswith(("it took longer", "its worker", "it is nested too deeply"))


def main() -> int:
    """Read the damaged scores, and print how many were read, were refused for which reasons, and failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--scores", nargs="+", type=Path, default=[], help="folders of scores to damage, too")
    parser.add_argument("--seconds", type=float, default=2.0, help="the time limit of one piece")
    parser.add_argument("--memory", type=int, default=1024, help="the memory limit of one piece in MB")
    parser.add_argument("--size", type=int, default=DEFAULT_SIZE, help="the size of extreme scores in bytes")
    parser.add_argument("--jobs", type=int, default=0, help="worker processes; 0 takes one a processor")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="where failures are saved")
    options = parser.parse_args()
    scores, more = small_scores(), scores_in(options.scores)
    scores = {suffix: [*scores[suffix], *more.get(suffix, ())] for suffix in FORMATS}
    drawn = damaged(scores, options.formats, options.seed, options.count, options.size)
    outcomes: Counter[str] = Counter()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, options.count, BATCH):
            paths = []
            for number, (suffix, content) in zip(range(start, min(start + BATCH, options.count)), drawn, strict=False):
                paths.append(Path(folder) / f"{options.seed}-{number}{suffix}")
                paths[-1].write_bytes(content)
            for path, outcome in read(paths, options.jobs, options.seconds, options.memory * 2**20):
                kind = outcome.reason if isinstance(outcome, Failure) else "read"
                outcomes[path.suffix + re.sub(r"'.*'|[0-9,]+", "_", f" {kind}")[:80]] += 1
                if is_failure(outcome):
                    failures += 1
                    options.out.mkdir(parents=True, exist_ok=True)
                    (options.out / path.name).write_bytes(path.read_bytes())
                    print(f"FAILED {path.name}: {kind}", file=sys.stderr, flush=True)
            for path in paths:
                path.unlink()
    for kind, number in sorted(outcomes.items(), key=lambda item: (item[0].split()[0], -item[1])):
        print(f"{number:7,} {kind}")
    print(f"{options.count:7,} scores, {failures:,} failures" + (f", saved in {options.out}" if failures else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
