"""Files that an earlier version wrote open, compose and are gone on with (`before/README.md` says what they are)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HALTED: dict[str, str] = json.loads((Path(__file__).parent / "before" / "halted.json").read_text(encoding="utf-8"))
MODELS = ("network", "blend", "transformer", "ngram", "vae", "tuned", "tuned-g")


@pytest.mark.parametrize("name", MODELS)
def test_models_compose(name: str, before: Path, shell: Any) -> None:
    line = f"compose runs/{name}/model.safetensors -n 2 --bars 2 --no-copy-check --out made"
    rows = shell.json(line)["melodies"]
    assert len(rows) == 2
    assert all(len(row["tokens"]) == 32 and Path(row["mid"]).stat().st_size > 30 for row in rows)
    if name != "blend":  # an earlier version did not show the card of a blend
        assert shell.json(f"models show runs/{name}")["card"]


def test_a_model_of_events_composes(before: Path, shell: Any) -> None:
    (row,) = shell.json("compose runs/events -n 1 --events 12 --no-copy-check --out made")["melodies"]
    assert len(row["tokens"]) == 12


def test_a_corpus_holds_the_same_melodies(before: Path, shell: Any) -> None:
    expected = json.loads(Path("melodies.json").read_text(encoding="utf-8"))
    corpus = opened_corpus(Path("melodies.arrow"))
    now = [
        {
            "notes": [[note.onset, note.duration, [int(pitch) for pitch in note.pitches]] for note in melody.notes],
            "key": str(melody.key),
            "split": split,
        }
        for melody, split in zip(corpus, corpus.column("split"), strict=True)
    ]
    assert now == expected
    assert shell.json("corpus show melodies.arrow -n 2 --out page.html")["melodies"] == len(expected)


MARKS = {
    "runs/halted-training": (rb"\"nats\": 3", rb"\"nats\": 9", "train", 6.0),
    "runs/halted-tuning": (rb"\"log_p\": [-3", rb"\"log_p\": [-9", "log_p", -9.0),
    "runs/halted-q": (rb"\"log_p\": [-3", rb"\"log_p\": [-9", "log_p", -9.0),
}
"""A number that a checkpoint remembers, another in its place, and what then shows in the first row of the metrics."""


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, marks=pytest.mark.e2e if run in ("runs/halted-sweep", "runs/halted-q") else ())
        for run in HALTED
    ],
)
def test_an_interrupted_run_is_gone_on_with(run: str, before: Path, shell: Any) -> None:
    assert json.loads(Path(run, "run.json").read_text(encoding="utf-8"))["state"] == "running"
    if run in MARKS:
        mark, other, _, _ = MARKS[run]
        checkpoint = Path(run, "checkpoint.safetensors")
        content = checkpoint.read_bytes()
        assert content.count(mark) == 1
        checkpoint.write_bytes(content.replace(mark, other))
    answer = shell.json(f"{HALTED[run]} --resume")
    assert Path(answer["bundle"]).parent == Path(run)
    assert json.loads(Path(run, "run.json").read_text(encoding="utf-8"))["state"] == "finished"
    if run in MARKS:  # it did not begin again
        _, _, name, bound = MARKS[run]
        first = json.loads(Path(run, "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0])
        assert abs(first[name]) > abs(bound)
    else:
        trials = json.loads(Path(run, "sweep.json").read_text(encoding="utf-8"))["trials"]
        assert trials[0]["seconds"] == 1.828
        assert sum(trial["state"] != "interrupted" for trial in trials) == 5
    assert shell.json(f"compose {run} -n 1 --bars 1 --no-copy-check --out made")["melodies"]


def test_a_finished_run_stays_as_it_is(before: Path, shell: Any) -> None:
    line = HALTED["runs/halted-training"].replace("halted-training", "network")
    for more in ("", " --resume"):
        assert shell.json(f"{line}{more}", status=1)["error"]


def test_a_model_is_measured_and_tuned_on(before: Path, shell: Any) -> None:
    measured = shell.json("evaluate runs/network runs/ngram runs/vae --likelihood --test scores")
    assert set(measured["systems"]) == {"network", "ngram", "vae"}
    few = "--updates 1 --melodies 8 --steps 16 --look 0 --device cpu"
    assert shell.json(f"tune runs/tuned {few} --out made")["bundle"]


def test_a_study_is_analysed(before: Path, shell: Any) -> None:
    said = shell.json("listen analyse study.zip study.answers.sqlite")
    assert said["simulated"] is False
    assert {name: arm["trials"] for name, arm in said["arms"].items()} == {"human": 16, "lstm": 16}


def opened_corpus(path: Path) -> Any:
    """The one name here that is not the command line's."""
    from cantilena.data import Corpus

    return Corpus.load(path)
