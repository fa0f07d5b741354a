"""Run an earlier version and this one on this machine, and compare what they make, byte for byte.

    python scripts/compare_versions.py OLD_COMMIT [--quick] [--threads N] [--strict] [--keep DIR]

The earlier version is checked out into a temporary git worktree, which is removed afterwards. Both versions run the
same lines of the command line at the same time, each in a folder of its own, with the same Python, libraries and number
of threads: so a difference is one of the code. They compose with every model that ships, rewrite, vary, read scores,
train, tune, sweep, evaluate, judge by rules and prepare a listening test; without --quick they also run the main job,
`cantilena reproduce --preset quick`, which takes minutes.

Files of music and sound must have the same bytes, models the same tensors, corpora the same columns, and JSON the same
values. Times and versions of libraries are left out. New keys, and sentences that are worded otherwise, are counted and
allowed, unless --strict is given. Pages, pictures and exported graphs hold words, and are not compared. The exit status
is 1 if anything differs.

Example:
    python scripts/compare_versions.py v0.1.0 --quick
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

CHECKOUT = Path(__file__).resolve().parents[1]
NET = "--width 8 --embedding 8 --epochs 2 --batch 8 --device cpu"
TUNED = "--updates 3 --melodies 8 --steps 16 --look 2 --watched 16 --device cpu"
MAIN_JOB = "main job"
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lists", ("models list", "corpus list", "rules list", "rules explain rl-tuner:leap", "rules explain cantilena")),
    (
        "compose in other ways",
        (
            "compose tunes --style ryan --primer 'C4 D4 E4/2' --key 'D minor' --seconds 6 --range C4-A5 --meter 3/4"
            " --tempo 96 --temperature 1.1 --top-k 12 --top-p 0.95 --expressive -n 2 --out told",
            "compose tunes+rl --bars 2 --greedy --constrain rl-tuner -n 1 --no-primer --primer 'G4 A4' --out kept",
            "compose tunes+rl --of composed/tunes/001.mid --bars 2-3 -n 2 --out rewritten",
            "compose --interpolate composed/tunes/001.mid composed/tunes/002.mid --steps 3 --out way",
            "compose --vary composed/tunes/001.mid --amount 0.5 -n 2 --out varied",
        ),
    ),
    (
        "corpus",
        (
            "compose tunes -n 24 --bars 8 --no-copy-check --out scores",
            "compose tunes+rl -n 24 --bars 8 --no-copy-check --out others",
            "corpus read scores --jobs 1 --out melodies.arrow",
            "corpus read scores --jobs 1 --voice all --seconds 8 --out notes.arrow",
            "corpus cluster melodies.arrow --out styles",
        ),
    ),
    (
        "train",
        (
            f"train --corpus melodies.arrow {NET} --out runs/network",
            f"train --corpus melodies.arrow {NET} --core transformer --blend --order 4 --out runs/transformer",
            f"train --corpus melodies.arrow {NET} --attention 4 --copy-head --keys all --out runs/attention",
            f"train --corpus notes.arrow {NET} --encoding events --core gru --out runs/events",
            f"train --corpus melodies.arrow {NET} --input paper --window 8 --budget 2000 --out runs/paper",
            "train --model ngram --corpus melodies.arrow --out runs/ngram",
            "train --model vae --corpus melodies.arrow --latent 4 --code-bars 1 --width 8 --epochs 2 --out runs/vae",
            f"sweep --corpus melodies.arrow {NET} --trials 2 --out runs/sweep",
        ),
    ),
    (
        "compose, trained",
        tuple(
            f"compose runs/{name} -n 1 {length} --no-copy-check --out made/{name}"
            for name, length in (
                *((name, "--bars 2") for name in ("network", "transformer", "attention", "vae", "ngram")),
                ("events", "--events 12"),
            )
        ),
    ),
    (
        "tune",
        (
            f"tune runs/network {TUNED} --out runs/rloo",
            f"tune runs/network {TUNED} --algorithm q --priority 0.6 --target-kl 0.01 --out runs/q",
            f"tune runs/network {TUNED} --algorithm g --rules cantilena --out runs/g",
            f"tune runs/network {TUNED} --algorithm psi --exploration boltzmann --out runs/psi",
            f"tune tunes {TUNED} --algorithm ppo --critic --critic-start 5 --critic-lessons 2 --out runs/ppo",
        ),
    ),
    (
        "evaluate",
        (
            "evaluate scores others --melodies 50 --out evaluated",
            "evaluate tunes+rl ngram --melodies 30 --steps 32 --out drawn",
            "evaluate tunes runs/ngram --likelihood --test scores",
            "rules score scores/001.mid --rules rl-tuner --out judged",
            "rules score scores/002.mid --rules cantilena",
        ),
    ),
    (
        "listen",
        (
            "listen create --arm human=scores --arm lstm=others --clips 4 --trials 8 --listeners 6 --shortest 4"
            " --longest 8 --out study.zip",
            "listen rehearse study.zip --share human=0.7 --share lstm=0.3 --out answers",
            "listen analyse study.zip answers --out analysed",
        ),
    ),
    (MAIN_JOB, ("reproduce --preset quick --seed 1 --out reproduced",)),
)
"""What is compared, in this order: a name, and lines after `cantilena` that are run in one folder, one by one."""

VOLATILE = {"steps_per_second", "versions", "time"}
TIMED = {"train", "tune", "sweep", MAIN_JOB}
"""Steps in which `seconds` is a time that was taken; elsewhere it is the length of a melody."""


@dataclass(frozen=True)
class Version:
    """One of the two: its checkout, and the folder in which its lines run."""

    tree: Path
    folder: Path

    def start(self, line: str, threads: int) -> subprocess.Popen[bytes]:
        """Start a line of the command line."""
        counts = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
        environment = {**os.environ, **counts, "PYTHONPATH": str(self.tree / "src")}
        words = [sys.executable, "-m", "cantilena", *shlex.split(line), "--json"]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(words, cwd=self.folder, env=environment, **pipes)


@dataclass
class Row:
    """What came of one step: how much was compared, what differs, and what is only worded otherwise or new."""

    name: str
    compared: int = 0
    worded: int = 0
    added: int = 0
    different: int = 0
    first: str = ""

    def differ(self, where: str, old: object, new: object) -> None:
        """Count a difference, and keep the first."""
        self.different += 1
        self.first = self.first or f"{where}: {str(old)[:80]} -> {str(new)[:80]}"

    def told(self, seconds: float) -> str:
        """The row of the table."""
        words = f", {self.worded} worded otherwise" if self.worded else ""
        more = f", {self.added} new" if self.added else ""
        said = f"{self.different} DIFFERENT, the first {self.first}" if self.different else f"equal{words}{more}"
        return f"{self.name:<24} {self.compared:>5} compared  {seconds:>5.0f} s  {said}"


def main(words: Sequence[str] | None = None) -> int:
    """Compare, print a table, and say with the exit status whether all is equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD_COMMIT", help="the earlier version: a commit, a tag or a branch")
    parser.add_argument("--quick", action="store_true", help="leave out the main job")
    parser.add_argument("--threads", type=int, default=1, help="of each version (default: 1)")
    parser.add_argument("--strict", action="store_true", help="new keys and other words are differences too")
    parser.add_argument("--keep", type=Path, help="an empty folder to keep what was made in: old/ and new/")
    asked = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the worktree is removed then too
    differ = 0
    with tempfile.TemporaryDirectory() as scratch, worktree(asked.old, Path(scratch) / "tree") as tree:
        made = asked.keep.resolve() if asked.keep else Path(scratch)
        sides = Version(tree, made / "old"), Version(CHECKOUT, made / "new")
        for side in sides:
            side.folder.mkdir(parents=True)
        for name, lines in [*composing(sides[0], asked.threads), *STEPS]:
            if name == MAIN_JOB and asked.quick:
                continue
            started = time.monotonic()
            row = compared(name, lines, sides, asked.threads)
            if asked.strict:
                row.different += row.worded + row.added
            print(row.told(time.monotonic() - started), flush=True)
            differ += bool(row.different)
    print(f"{differ} steps differ" if differ else "all equal")
    return 1 if differ else 0


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """A checkout of a commit for a while."""
    git = ["git", "-C", str(CHECKOUT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=False)


def composing(old: Version, threads: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A step for every model that the earlier version ships."""
    told, _ = old.start("models list", threads).communicate()
    for row in json.loads(told)["models"]:
        yield f"compose {row['name']}", (f"compose {row['name']} -n 2 --bars 4 --seed 1 --out composed/{row['name']}",)


def compared(name: str, lines: Sequence[str], sides: tuple[Version, Version], threads: int) -> Row:
    """Run the lines of a step in both versions, and compare the answers and the files that are new."""
    row = Row(name)
    before = {path for side in sides for path in files(side.folder)}
    for line in lines:
        running = [side.start(line, threads) for side in sides]
        try:
            answers = [process.communicate()[0] for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
        statuses = [process.returncode for process in running]
        if any(statuses):  # what both refuse is not compared, and that is no success
            row.differ(f"exit status of {line}", *statuses)
            print(*(answer.decode("utf-8", "replace") for answer in answers), file=sys.stderr)
        else:
            compare(row, line, *(json.loads(answer) for answer in answers))
    for path in sorted({path for side in sides for path in files(side.folder)} - before):
        compare_files(row, path, *(side.folder / path for side in sides))
    return row


def files(folder: Path) -> Iterator[Path]:
    """What lies in a folder and can be compared, relative to it."""
    return (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix in READERS)


def compare_files(row: Row, path: Path, old: Path, new: Path) -> None:
    """Compare the bytes of two files and, where they are not equal and may be read, what they say."""
    missing = [side for side in (old, new) if not side.is_file()]
    if missing:
        row.differ(str(path), *("there" if side.is_file() else "missing" for side in (old, new)))
        return
    first, second = old.read_bytes(), new.read_bytes()
    if first == second:
        row.compared += 1
    else:
        compare(row, str(path), *(READERS[path.suffix](content) for content in (first, second)))


def compare(row: Row, where: str, old: Any, new: Any, *, top: bool = True) -> None:  # noqa: ANN401
    """Compare two values as JSON has them: the new one may have more keys, and other words in its sentences."""
    row.compared += top
    if isinstance(old, dict) and isinstance(new, dict):
        row.added += len(new.keys() - old.keys())
        for key in old.keys() - VOLATILE - ({"seconds"} if row.name in TIMED else set()):
            if key in new:
                compare(row, f"{where}/{key}", old[key], new[key], top=False)
            else:
                row.differ(f"{where}/{key}", old[key], "missing")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            row.differ(f"length of {where}", len(old), len(new))
        for index, (first, second) in enumerate(zip(old, new, strict=False)):
            compare(row, f"{where}/{index}", first, second, top=False)
    elif type(old) is not type(new) or old != new:
        if isinstance(old, str) and isinstance(new, str) and is_prose(old) and is_prose(new):
            row.worded += 1
        elif isinstance(old, bytes) and isinstance(new, bytes):
            at = next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
            row.differ(f"byte {at} of {where}", old[at : at + 20], new[at : at + 20])
        else:
            row.differ(where, old, new)


def is_prose(text: str) -> bool:
    """Whether a text is a sentence for people, and no name, key or notes."""
    return len(re.findall(r"\b[a-z]{2,}\b", text)) >= 3


def json_lines(content: bytes) -> list[Any]:
    """The objects of a file that has one a line."""
    return [json.loads(line) for line in content.splitlines()]


def rows_of_csv(content: bytes) -> list[dict[str, str]]:
    """The rows of a table."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"))))


def tensors(content: bytes) -> dict[str, Any]:
    """The arrays of a .safetensors file, as bytes, and its metadata."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = {key: json.loads(text) for key, text in header.pop("__metadata__", {}).items() if text[:1] == "{"}
    arrays = {
        name: [
            about["dtype"],
            about["shape"],
            content[start + about["data_offsets"][0] : start + about["data_offsets"][1]],
        ]
        for name, about in header.items()
    }
    return {"metadata": metadata, "tensors": arrays}


def columns(content: bytes) -> dict[str, Any]:
    """The columns of a corpus file, Arrow or Parquet, and its manifest."""
    buffer = pa.BufferReader(content)
    table = pa.parquet.read_table(buffer) if content[:4] == b"PAR1" else pa.ipc.open_file(buffer).read_all()
    manifest = json.loads((table.schema.metadata or {})[b"cantilena"])
    return {"manifest": manifest, "columns": {name: table.column(name).to_pylist() for name in table.column_names}}


def members(content: bytes) -> dict[str, Any]:
    """The files in a .zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    return {name: json.loads(read) if name.endswith(".json") else read for name, read in inside.items()}


def without_version(content: bytes) -> bytes:
    """A text that names the version that wrote it, without that."""
    return re.sub(rb"Cantilena \d+\.\d+\.\d+\w*", b"Cantilena", content)


READERS: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys((".mid", ".wav"), bytes),
    **dict.fromkeys((".musicxml", ".svg"), without_version),
    **dict.fromkeys((".arrow", ".parquet"), columns),
    ".json": json.loads,
    ".jsonl": json_lines,
    ".csv": rows_of_csv,
    ".safetensors": tensors,
    ".zip": members,
}
"""How files are read that do not have the same bytes; other files are not compared."""


if __name__ == "__main__":
    sys.exit(main())
