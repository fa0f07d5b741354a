"""The journal of a search without a training: the same seed the same trials, whatever was killed and when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cantilena.errors import RunError
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.space import Value, space_of
from cantilena.workflows.sweep.study import SweepStudy, TrialRow

SPACE = space_of(
    {
        "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        "width": {"low": 8, "high": 64, "step": 8},
        "look_back": {"choices": [[], [1, 2]]},
        "copy_head": {"choices": [False, True]},
    },
    "test",
)
FIRST: dict[str, Value] = {"learning_rate": 6e-3, "width": 128, "look_back": (), "copy_head": False}
OPTIONS = SweepOptions(trials=18)


def study(journal: Path, seed: int = 1, options: SweepOptions = OPTIONS) -> SweepStudy:
    return SweepStudy(journal, SPACE, options, seed=seed, first=FIRST)


def loss_of(parameters: dict[str, Value]) -> float:
    return abs(float(str(parameters["learning_rate"])) - 0.02) + float(str(parameters["width"])) / 100


def step(searched: SweepStudy) -> None:
    number, parameters = searched.ask()
    searched.report(number, 1, 2.0)
    searched.finish(number, {"nats_per_step": loss_of(parameters)}, 1.0)


def tried(searched: SweepStudy) -> list[dict[str, Value]]:
    return [dict(row.parameters) for row in searched.rows() if row.state != "interrupted"]


def test_the_same_seed_tries_the_same_and_begins_with_the_preset(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        searched = study(tmp_path / name, seed)
        for _ in range(OPTIONS.trials):
            step(searched)
        runs.append(tried(searched))
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0]["learning_rate"] == 6e-3
    assert runs[0][0]["look_back"] == ()
    assert runs[0][0]["width"] != 128  # the space does not hold it
    assert len({json.dumps(one) for one in runs[0]}) == OPTIONS.trials  # nothing is drawn twice
    assert all(SPACE.parameters[1].holds(one["width"]) for one in runs[0])


@pytest.mark.parametrize("kill", ["asked", "reported", "twice", "torn", "locked"])
def test_a_search_that_was_killed_goes_on_to_the_same_trials(tmp_path: Path, kill: str) -> None:
    whole, journal = study(tmp_path / "whole"), tmp_path / "halted"
    for _ in range(OPTIONS.trials):
        step(whole)
    for done in (3, 9):  # among the first, which are drawn blindly, and later
        halted = study(journal)
        while len(tried(halted)) < done:
            step(halted)
        number, _ = halted.ask()
        if kill == "reported":
            halted.report(number, 1, 3.0)
        if kill == "twice":
            study(journal).ask()
        if kill == "torn":
            with journal.open("ab") as file:
                file.write(b'{"op_code":6,"worker_id":"')
        if kill == "locked":
            journal.with_name("halted.lock").touch()
    last = study(journal)
    while len(tried(last)) < OPTIONS.trials:
        step(last)
    assert tried(last) == tried(whole)
    interrupted = [row for row in last.rows() if row.state == "interrupted"]
    assert len(interrupted) == (4 if kill == "twice" else 2)
    assert all(row.reason for row in interrupted)


@pytest.mark.parametrize(
    "content",
    [b"la la la\n", b"[]\n", b"{}\n", b'{"op_code":99,"worker_id":"x"}\n', b"\x00\xff\n", b"[" * 3000 + b"\n"],
)
def test_a_damaged_journal_is_one_line(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "trials.journal"
    journal.write_bytes(content * 2)
    with pytest.raises(RunError, match="is damaged"):
        study(journal)


def test_a_journal_of_another_search_is_one_line(tmp_path: Path) -> None:
    journal = tmp_path / "trials.journal"
    step(study(journal))
    other = space_of({"layers": {"choices": [1, 2]}}, "other")
    with pytest.raises(RunError, match="is damaged"):
        SweepStudy(journal, other, OPTIONS, seed=1, first={})


def test_what_is_worse_than_the_median_is_given_up(tmp_path: Path) -> None:
    judged = {}
    for pruning in ("median", "none"):
        searched = study(tmp_path / pruning, options=SweepOptions(trials=18, pruning=pruning))  # type: ignore[arg-type]
        for loss in (1.0, 1.1, 1.2, 1.3):
            number, _ = searched.ask()
            assert not any(searched.report(number, epoch, loss) for epoch in (1, 2, 3))
            searched.finish(number, {"nats_per_step": loss}, 1.0)
        number, _ = searched.ask()
        judged[pruning] = [searched.report(number, epoch, 9.0) for epoch in (1, 2)]
        searched.give_up(number, "worse", 1.0)
        number, _ = searched.ask()
        searched.give_up(number, "late", 1.0)
        assert [row.state for row in searched.rows()][4:] == ["pruned", "failed"]
        assert searched.rows()[4].losses == (9.0, 9.0)
        assert searched.rows()[4].record()["valid"] is None
    assert judged == {"median": [False, True], "none": [False, False]}


def test_rows_outlive_the_process(tmp_path: Path) -> None:
    searched = study(tmp_path / "journal")
    step(searched)
    number, _ = searched.ask()
    searched.fail(number, "the loss is not a number", 2.5)
    again: list[TrialRow] = study(tmp_path / "journal").rows()
    assert again == searched.rows()
    assert [row.state for row in again] == ["finished", "failed"]
    assert (again[1].reason, again[1].seconds) == ("the loss is not a number", 2.5)
