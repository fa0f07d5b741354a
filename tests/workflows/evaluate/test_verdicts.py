"""Sentences that follow from numbers, and from nothing else."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from cantilena.metrics import Difference
from cantilena.workflows.evaluate.verdicts import (
    TONES,
    Kind,
    length_verdict,
    listener_verdict,
    pair_verdicts,
    system_verdicts,
)


def entry(value: float | None, width: float = 0.02, **more: Any) -> dict[str, Any]:
    bounds = (None, None) if value is None else (value - width, value + width)
    return {"value": value, "low": bounds[0], "high": bounds[1], **more}


def system(melodies: int = 100, **metrics: dict[str, Any]) -> dict[str, Any]:
    return {"melodies": melodies, "metrics": metrics}


PEOPLE = system(vendi=entry(50.0, 1.0, notes=1000), distinct_4=entry(0.6, notes=1000), in_motif=entry(0.4))


def kinds(one: dict[str, Any], *differences: Difference, different: int = 100, people: Any = PEOPLE) -> list[str]:
    return [verdict.kind for verdict in system_verdicts("mine", one, people, differences, kinds=different)]


def test_every_kind_has_a_tone() -> None:
    assert set(TONES) == set(get_args(Kind))


def test_the_same_melody_again_is_collapse() -> None:
    (one,) = system_verdicts("mine", system(), PEOPLE, [], kinds=3)
    assert one.text == "it plays the same again: of 100 melodies only 3 are different"


def test_beside_few_of_peoples_melodies_nothing_is_concluded() -> None:
    few = {**PEOPLE, "melodies": 1}
    one = system(vendi=entry(1.0, notes=1000), copied_beyond_people=entry(None), copied_share=entry(1.0))
    (verdict,) = system_verdicts("mine", one, few, [Difference("human", "mine", "in_motif", 0.3, 0.5, 1.0)], kinds=100)
    assert verdict.text == "people's: 1 melody: too few to conclude anything"


def test_shorter_melodies_are_told_to_be_shorter() -> None:
    assert length_verdict("mine", 60, 64) == []
    (told,) = length_verdict("mine", 4, 64)
    assert told.text.startswith("its melodies are shorter, 4 steps beside 64")


@pytest.mark.parametrize(("vendi", "found"), [(48.0, []), (44.5, []), (40.0, ["less-varied"]), (20.0, ["collapse"])])
def test_diversity_is_lacking_where_its_interval_is_below_nine_tenths(vendi: float, found: list[str]) -> None:
    one = system(vendi=entry(vendi, 1.0, notes=980), distinct_4=entry(0.6, notes=980))
    assert kinds(one) == found


def test_sets_of_fewer_notes_are_not_held_beside_peoples() -> None:
    assert kinds(system(vendi=entry(10.0, notes=300))) == []
    assert kinds(system(vendi=entry(10.0, notes=90_000))) == []


def test_copies_are_told_where_clearly_more_melodies_copy_than_people_do() -> None:
    beyond = entry(0.4, copied=0), entry(0.11, 0.05)
    covered = entry(0.5)
    assert kinds(system(copied_beyond_people=beyond[0], copied_share=covered)) == ["copies"]
    assert kinds(system(copied_beyond_people=beyond[1], copied_share=covered)) == []


def test_few_melodies_conclude_nothing_but_what_is_plain() -> None:
    assert kinds(system(melodies=3), different=1) == ["few", "collapse"]


def test_what_differs_most_is_named_and_originality_is_not_counted() -> None:
    one = system(in_motif=entry(0.7), copied_notes=entry(30.0), not_in_key=entry(0.1))
    people = system(in_motif=entry(0.4), copied_notes=entry(9.0), not_in_key=entry(0.09))
    found = [
        Difference("human", "mine", metric, 0.3, 0.0005, adjusted)
        for metric, adjusted in (("in_motif", 0.001), ("copied_notes", 0.001), ("not_in_key", 0.5))
    ]
    (verdict,) = system_verdicts("mine", one, people, found, kinds=100)
    assert verdict.kind == "unlike"
    assert verdict.text.replace("\u00a0", " ") == (
        "1 of 2 numbers differ from people's, most: notes in a motif 70.0 % (human: 40.0 %)"
    )
    assert kinds(one, *found[1:], people=people) == ["like"]


def test_of_two_numbers_with_one_label_the_clearer_is_told() -> None:
    one = system(**{"starts_on_tonic": entry(0.92), "paper.starts_on_tonic": entry(0.6)})
    people = system(**{"starts_on_tonic": entry(0.34), "paper.starts_on_tonic": entry(0.5)})
    found = [Difference("human", "mine", name, 0.3, 0.0005, 0.001) for name in sorted(one["metrics"])]
    (verdict,) = system_verdicts("mine", one, people, found, kinds=100)
    assert verdict.text.replace("\u00a0", " ") == (
        "2 of 2 numbers differ from people's, most: starts on the tonic 92.0 % (human: 34.0 %)"
    )


def test_a_pair_without_a_difference_is_the_same() -> None:
    some = [Difference("a", "b", "x", 0.1, 0.3, 0.9), Difference("a", "b", "y", None, reason="undefined")]
    assert pair_verdicts("a", "b", some)[0].text == "no difference: 0 of 1 numbers tell one from the other"
    assert pair_verdicts("a", "b", some[1:]) == []


def answer(accuracy: float, low: float, refused: str = "") -> dict[str, Any]:
    return {
        "refused": refused,
        "accuracy": {"value": accuracy, "low": low, "high": 0.97},
        "auc": {"value": 0.98, "low": 0.9, "high": 1.0},
    }


def test_the_machine_listener_is_told_with_its_interval_or_its_reason() -> None:
    told = listener_verdict("mine", answer(0.92, 0.89))
    assert told.kind == "told-apart"
    assert "92 % right (89 to 97)" in told.text
    groups = [{"group": name, "auc": {"value": 0.9, "low": low}} for name, low in (("form", 0.8), ("key", 0.4))]
    named = listener_verdict("mine", {**answer(0.92, 0.89), "groups": groups}).text
    assert named == told.text + ". What gives them away, by the AUC of that alone: form (0.90)"
    assert listener_verdict("mine", answer(0.52, 0.47)).kind == "not-told-apart"
    refused = listener_verdict("mine", answer(0.9, 0.8, refused="there are 3 pieces"))
    assert refused.kind == "not-heard"
    assert refused.text.endswith("there are 3 pieces")
