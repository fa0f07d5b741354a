"""Make `tests/contract/before`: small files as version 0.1.0 wrote them (README.md there says what is what).

    git worktree add ../earlier COMMIT
    PYTHONPATH=../earlier/src python ../earlier/tests/contract/make_before.py tests/contract/before

It was run once, with the version at the commit that added it. A later version must not make these files anew: they are
there to show that it opens what that one wrote. So it may reach into modules by the names that they had then.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TINY = "--width 8 --embedding 8 --batch 8 --device cpu --precision float32"
FEW = "--melodies 8 --steps 16 --look 2 --watched 16 --device cpu"
FINISHED = (
    "compose tunes -n 20 --bars 4 --no-copy-check --out scores",
    "corpus read scores --jobs 1 --out melodies.arrow",
    f"train --corpus melodies.arrow {TINY} --no-blend --epochs 2 --out runs/network",
    f"train --corpus melodies.arrow {TINY} --blend --order 2 --epochs 2 --out runs/blend",
    f"train --corpus melodies.arrow {TINY} --encoding events --no-blend --epochs 2 --out runs/events",
    f"train --corpus melodies.arrow {TINY} --core transformer --heads 2 --no-blend --epochs 2 --out runs/transformer",
    "train --model ngram --order 3 --corpus melodies.arrow --out runs/ngram",
    f"tune runs/network {FEW} --updates 3 --out runs/tuned",
    f"tune runs/network {FEW} --updates 3 --algorithm g --out runs/tuned-g",
)
VAE = "train --model vae --corpus melodies.arrow --epochs 2 --device cpu --out runs/vae"
HALTED = (
    f"train --corpus melodies.arrow {TINY} --no-blend --epochs 4 --out runs/halted-training",
    f"tune runs/network {FEW} --updates 8 --out runs/halted-tuning",
    f"tune runs/network {FEW} --updates 8 --algorithm q --priority 0.6 --replay 32 --out runs/halted-q",
)
SWEEP = f"sweep --corpus melodies.arrow {TINY} --epochs 2 --trials 5 --out runs/halted-sweep"
# No flag makes a VAE as small as this.
SMALL = """
import sys
from cantilena.model import VaeOptions
VaeOptions.__init__.__defaults__ = (1, 4, 6, 8, 6, 2, 3, 8, 0.0)
from cantilena.cli import main
sys.exit(main(sys.argv[1:]))
"""
# A checkpoint after every update, and updates slow enough to be interrupted.
SLOWLY = """
import itertools, sys, time, types
import cantilena.training.epochs as epochs, cantilena.training.keeping as keeping, cantilena.tuning.loop as loop
epochs.time = types.SimpleNamespace(monotonic=itertools.count(step=1000).__next__)
loop._CHECKPOINT_EVERY = 0.0
def slow(save):
    def slowly(*args):
        save(*args)
        time.sleep(0.5)
    return slowly
keeping.save_checkpoint = slow(keeping.save_checkpoint)
loop.TuningCheckpoint.save = slow(loop.TuningCheckpoint.save)
from cantilena.cli import main
sys.exit(main(sys.argv[1:]))
"""
KEPT = (".mid", ".safetensors", ".json", ".jsonl", ".arrow", ".zip", ".sqlite", ".sqlite3", ".journal", ".csv")


def make() -> None:
    """Make everything in the working folder."""
    for line in FINISHED:
        subprocess.run([sys.executable, "-m", "cantilena", *line.split()], check=True)
    subprocess.run([sys.executable, "-c", SMALL, *VAE.split()], check=True)
    for line in HALTED:
        checkpoint = Path(line.split()[-1]) / "checkpoint.safetensors"
        interrupt([sys.executable, "-c", SLOWLY, *line.split()], checkpoint.exists, more=0.6)  # a second checkpoint
    tried = Path(SWEEP.split()[-1]) / "sweep.json"
    interrupt(
        [sys.executable, "-m", "cantilena", *SWEEP.split()],
        lambda: tried.exists() and any(row["state"] == "finished" for row in json.loads(tried.read_text())["trials"]),
    )
    lines = {shlex.split(line)[-1]: line for line in (*HALTED, SWEEP)}
    Path("halted.json").write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    history()
    listening_test()
    loaded = corpus()
    Path("melodies.json").write_text(json.dumps(loaded) + "\n", encoding="utf-8")


def interrupt(words: list[str], when: Callable[[], bool], more: float = 0.0) -> None:
    """Start a run, and press Ctrl-C when it has come so far."""
    process = subprocess.Popen(words)
    while not when():
        assert process.poll() is None, words
        time.sleep(0.02)
    time.sleep(more)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130, words


def corpus() -> list[dict[str, Any]]:
    """The melodies of the corpus, note by note."""
    from cantilena.corpus import Corpus

    read = Corpus.load(Path("melodies.arrow"))
    return [
        {
            "notes": [[note.onset, note.duration, [int(pitch) for pitch in note.pitches]] for note in melody.notes],
            "key": str(melody.key),
            "split": split,
        }
        for melody, split in zip(read, read.column("split"), strict=True)
    ]


def history() -> None:
    """Two melodies composed in a studio, one of them kept."""
    from fastapi.testclient import TestClient

    from cantilena.studio import StudioOptions, make_app

    with TestClient(make_app(StudioOptions(home=Path("studio"))), base_url="http://127.0.0.1:8000") as client:
        asked = {"bars": 2, "seed": 1}
        answer = client.post("/api/compose", json=asked)
        assert answer.status_code == 200, answer.text
        candidate = answer.json()["candidates"][0]
        for title, kept in (("A first idea", True), ("A second idea", False)):
            sent = {"candidate": candidate, "settings": asked, "title": title, "kept": kept}
            assert client.post("/api/history", json=sent).status_code == 201


def listening_test() -> None:
    """A study of short tones, and three listeners who took it."""
    from cantilena.listening.sittings.app import make_app
    from cantilena.listening.sittings.room import ListeningRoom
    from cantilena.web import Address
    from fastapi.testclient import TestClient

    spec = importlib.util.spec_from_file_location("listening", Path(__file__).parents[1] / "listening" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["listening"] = module
    spec.loader.exec_module(module)

    class Listener(module.Caller):  # type: ignore[misc, name-defined]
        """One who does not say the same to everything."""

        def answer(self, position: int, **_: Any) -> Any:
            said = {"answer": ("human", "computer")[position % 2], "confidence": 1 + position % 3}
            return super().answer(position, **said)

    study = module.sounding_study(Path("study.zip"), listeners=6, heard=4)
    room = ListeningRoom(Path("study.zip"), study, Path("study.answers.sqlite"))
    with TestClient(make_app(room, Address()), base_url=module.HERE) as client:
        for _ in range(4):
            Listener(client).until("end")


def whole(database: Path) -> None:
    """Put all of an SQLite database into its one file."""
    opened = sqlite3.connect(database)
    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()


def main() -> None:
    """Make the files in a folder with no name, and keep those that are wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        make()
        for path in Path("runs").glob("*/checkpoint.safetensors"):
            if "halted" not in path.parent.name and path.parent.name != "network":  # one of them shows it
                path.unlink()
        for path in sorted(Path().rglob("*")):
            if path.suffix in (".sqlite", ".sqlite3"):
                whole(path)
            if path.suffix in KEPT and path.is_file():
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, out / path)
        os.chdir(out)


if __name__ == "__main__":
    main()
