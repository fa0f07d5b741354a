"""The bands of people's melodies: as a file, as the script measures them, and what judging by them tells apart."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cantilena.data import load_builtin
from cantilena.errors import UsageError
from cantilena.music import HOLD, ON, Key, Line, Melody, Meter
from cantilena.rules import (
    RULE_SETS,
    Band,
    Bands,
    Context,
    RuleSet,
    Share,
    events_of,
    features_of,
    human_bands,
    measure_bands,
    two_sided,
    with_bands,
)
from cantilena.rules.motif_model import motif_model
from cantilena.tokenizers import GridEncoding

RULES = RULE_SETS["cantilena"]
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    sys.path.insert(0, str(SCRIPTS))
    try:
        return import_module("measure_bands")
    finally:
        sys.path.remove(str(SCRIPTS))


Excerpts = list[tuple[Line, Context]]


@pytest.fixture(scope="module")
def waltzes(script: ModuleType) -> list[Any]:
    """What the script measures in 3/4: the leads of the training part."""
    return [row for row in script.training_leads(load_builtin("tunes")) if row[0].meter == Meter(3, 4)]


@pytest.fixture(scope="module")
def people(script: ModuleType) -> Excerpts:
    """Excerpts of eight bars of held-out melodies in any meter."""
    return list(script.excerpts(script.corpus_rows(load_builtin("tunes").melodies("test")), (8,)))


@pytest.mark.e2e
def test_the_file_holds_what_the_script_measures(script: ModuleType, waltzes: list[Any]) -> None:
    measured = Bands.from_toml(measure_bands(RULES, script.excerpts(waltzes, (8,))).to_toml())
    for name in features_of(RULES.without_chords()):
        if name != "phrase_8":  # eight bars have none eight bars before
            for group in ("3/4", "3/4 major", "3/4 major quartets"):
                assert measured.table[name][group][8] == human_bands().table[name][group][8], (name, group)
    assert measured.shares["climax"]["3/4"] == {8: human_bands().shares["climax"]["3/4"][8]}
    for rule, place in script.PLACES.items():
        at = Bands.from_toml(measure_bands(RULES.only(rule), script.excerpts(waltzes, (8,), place)).to_toml())
        for event, by_group in at.shares.items():
            assert by_group["3/4"][8] == human_bands().shares[event]["3/4"][8], event


def test_openings_and_closes_are_those_of_whole_melodies(script: ModuleType) -> None:
    # A pickup, D | C D E F | D E D E | D E C: the last bar lacks what the pickup has
    melody = replace(Melody.from_pitches([(60 + up, 24) for up in (2, 0, 2, 4, 5, 2, 4, 2, 4, 2, 4, 0)]), pickup=24)
    rows = script.corpus_rows([replace(melody, key=Key())])
    shares = {}
    for place in ("anywhere", "start", "end"):
        bands = measure_bands(RULES.only("opening", "cadence"), script.excerpts(rows, (1, 2), place))
        shares[place] = {name: by_group["any"] for name, by_group in bands.shares.items()}
    assert shares["start"]["opening"] == {1: Share(1.0, 1), 2: Share(1.0, 1)}
    assert shares["end"]["tonic_close"] == {1: Share(1.0, 1), 2: Share(1.0, 1)}
    assert shares["end"]["opening"] == {1: Share(0.0, 1), 2: Share(0.0, 1)}
    assert shares["anywhere"]["opening"] == {1: Share(0.5, 2), 2: Share(1.0, 1)}
    assert shares["anywhere"]["tonic_close"] == {1: Share(0.0, 2), 2: Share(0.0, 1)}


def test_every_two_sided_rule_has_a_band_at_every_length() -> None:
    bands = human_bands()
    assert list(bands.table) == list(features_of(RULES))
    assert list(bands.shares) == list(events_of(RULES))
    for meter in ("4/4", "3/4", "6/8", "2/4", "2/2", "5/4", "7/8"):
        bar = Meter.parse(meter).ticks_per_bar // 6
        for bars in (1, 2, 3, 8, 16, 32, 200):
            for name in bands.table:
                band = bands.lookup(name, Context(meter=Meter.parse(meter), steps_per_bar=bar), bars * bar)
                assert band is not None
                assert 0 <= band.low <= band.high
                assert band.spread > 0
                if name != "chord_tones":  # measured before means were kept
                    assert band.mean is not None
                    assert band.count >= 100
            for name in bands.shares:
                share = bands.share(name, Context(meter=Meter.parse(meter), steps_per_bar=bar), bars * bar)
                assert share is not None
                assert 0 <= share.mean <= 1
                assert share.count >= 100
    assert (motif_model().medians[1:] > motif_model().medians[:-1]).all()


def test_four_fifths_of_held_out_excerpts_lie_inside(people: Excerpts) -> None:
    inside, all_of_them = dict.fromkeys(features_of(RULES), 0), 0
    for line, context in people:
        rewards = RULES.rewards(line, context)
        all_of_them += line.melodies
        for name in inside:
            inside[name] += int((rewards[name].sum(axis=1) == 0).sum())
    for name, count in inside.items():
        assert 0.74 < count / all_of_them <= 1, name


def test_bands_are_found_by_meter_and_nearest_length() -> None:
    bands = Bands(
        {
            "range": {"any": {2: Band(1, 2, 1), 8: Band(3, 4, 1)}, "3/4": {8: Band(5, 6, 1)}},
            "density": {"any": {8: Band(1.0, 3.0, 1)}},
        }
    )
    waltz = Context(meter=Meter(3, 4), steps_per_bar=12)
    assert bands.lookup("range", waltz, 96) == Band(5, 6, 1)
    assert bands.lookup("range", waltz, 47) == Band(1, 2, 1)  # under four bars two are nearer than eight
    assert bands.lookup("range", waltz, 49) == Band(5, 6, 1)
    assert bands.lookup("range", Context(), 10_000) == Band(3, 4, 1)
    assert bands.lookup("swing", Context(), 64) is None
    # Two notes a quarter, eight a bar: 30 notes are nearer to two bars than to eight, 34 are not
    untimed = Context(timed=False)
    assert bands.lookup("range", untimed, 30) == Band(1, 2, 1)
    assert bands.lookup("range", untimed, 34) == Band(3, 4, 1)


def test_the_most_specific_group_that_has_a_band_gives_it() -> None:
    def band(number: int) -> dict[int, Band]:
        return {8: Band(number, number, 1)}

    groups = {
        "any": band(1),
        "4/4": band(2),
        "4/4 minor": band(3),
        "4/4 minor airs": band(4),
        "3/4 minor airs": band(5),
    }
    bands = Bands({"range": groups}, {"opening": {"any": {4: Share(0.4, 900)}, "4/4 minor": {8: Share(0.2, 100)}}})
    minor, waltz = Key.parse("A minor"), Meter(3, 4)
    for number, context in {
        1: Context(meter=waltz), 2: Context(), 3: Context(minor), 4: Context(minor, style="airs"),
        5: Context(minor, waltz, 12, style="airs"),
    }.items():  # fmt: skip
        assert bands.lookup("range", context, 128) == Band(number, number, 1)
    assert bands.lookup("range", Context(Key.parse("E minor"), style="hymns"), 128) == Band(3, 3, 1)
    assert bands.share("opening", Context(minor), 128) == Share(0.2, 100)
    assert bands.share("opening", Context(minor), 64) == Share(0.4, 900)
    assert bands.share("opening", Context(), 128) is None  # as near as eight bars only minor was measured
    assert bands.share("range", Context(), 128) is None


def test_bands_are_the_percentiles_of_the_features() -> None:
    rng = np.random.default_rng(4)
    lines = [(GridEncoding().line(rng.integers(0, 38, (250, 64))), Context(Key.parse(key))) for key in ("C", "am")]
    few = (GridEncoding().line(rng.integers(0, 38, (150, 48))), Context(meter=Meter(3, 4), steps_per_bar=12))
    bands = measure_bands(RULES, [*lines, few])
    spans = [
        line.pitch.max(axis=1) - np.where(line.event == ON, line.pitch, 99).min(axis=1) for line, _ in [*lines, few]
    ]
    common = np.concatenate(spans[:2])
    assert bands.table["range"]["4/4"] == {4: Band(*np.percentile(common, (10, 90)), common.std(), common.mean(), 500)}
    assert "3/4" not in bands.table["range"]
    assert bands.table["range"]["any"][4].spread == pytest.approx(np.concatenate(spans).std())
    assert set(measure_bands(RULES, [few], least=150).table["range"]) == {"any", "3/4", "3/4 major"}
    airs = replace(few[1], style="airs")
    assert set(measure_bands(RULES, [few, (few[0], airs)]).shares["opening"]) == {
        "any", "3/4", "3/4 major", "3/4 major airs",
    }  # fmt: skip
    counted = float((few[0].pitch[:, 0] % 12 == 0).mean())
    starts = Line.from_events(few[0].event[:, :1], few[0].pitch[:, :1])
    assert measure_bands(RULES.only("opening"), [(starts, airs)]).shares["opening"]["3/4"][1] == Share(counted, 150)


def test_bands_survive_being_written() -> None:
    text = human_bands().to_toml()
    assert Bands.from_toml(text) == human_bands()
    assert len(text) < 100_000
    assert Bands.from_toml("[range]\nany = [[4, 7, 14, 3]]") == Bands({"range": {"any": {4: Band(7, 14, 3)}}})


@pytest.mark.parametrize(
    "text", ["range = 3", "[range]\nany = [[4, 7, 14]]", "[range]\nany = [[4, 9, 7, 1]]", "[range]\nany = 4", "[",
             "[range]\nany = [[0, 1, 2, 3]]",
             "[shares.opening]\nany = [[8, 1.2, 100]]", "[shares.opening]\nany = [[8, 0.2]]", "shares = 3",
             "[range]\nany = [['4', 'x', 2, 3]]"],
)  # fmt: skip
def test_what_is_no_bands_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a table of bands"):
        Bands.from_toml(text)


def test_rules_can_judge_by_bands_of_ones_own() -> None:
    line = GridEncoding().line(np.array([[14, 1, 16, 1] * 8]))
    wide = Bands({"range": {"any": {2: Band(20, 30, 9)}}})
    judged = with_bands(RULES, wide, Context(), 32)
    assert judged["range"].rewards(line)[0, -1] == -4
    assert judged["range"].parameters["low"] == 20
    assert judged["motion"] == RULES["motion"]
    assert with_bands(RULE_SETS["paper"], wide, Context(), 32) == RULE_SETS["paper"]


def test_a_feature_of_ones_own_becomes_a_rule() -> None:
    def holds(line: Line, context: Context) -> np.ndarray:
        return (line.event == HOLD).mean(axis=1)

    lazy = two_sided("holds", holds, "Half of the time something is held.", source="here")
    rules = RuleSet("mine", (lazy,))
    line = GridEncoding().line(np.array([[14, 1, 1, 1], [14, 1, 16, 16]]))
    assert not lazy.rewards(line).any()  # nobody measured it
    bands = measure_bands(rules, [(line, Context(steps_per_bar=4))])
    assert bands.table["holds"]["any"][1] == Band(pytest.approx(0.3), pytest.approx(0.7), pytest.approx(0.25), 0.5, 2)
    judged = with_bands(rules, bands, Context(steps_per_bar=4), 4)["holds"].rewards(line)
    np.testing.assert_allclose(judged[:, -1], [-0.4, -0.4])


# What the whole set tells apart


def shuffled(line: Line, rng: np.random.Generator) -> Line:
    """The same pitches and the same lengths of notes and rests, each in another order."""
    event, pitch = line.event.copy(), line.pitch.copy()
    for number in range(line.melodies):
        onsets = np.flatnonzero(event[number] == ON)
        if not len(onsets):
            continue
        head, *stretches = np.split(event[number], onsets)
        event[number] = np.concatenate([head, *(stretches[one] for one in rng.permutation(len(stretches)))])
        tones = rng.permutation(pitch[number, onsets])
        pitch[number] = -1
        pitch[number, event[number] == ON] = tones
    return Line.from_events(event, pitch)


def walking(line: Line, key: Key, rng: np.random.Generator) -> Line:
    """As many notes at random places, each up to two steps of the scale from the one before."""
    scale = np.array([pitch for pitch in range(128) if pitch % 12 in key.pitch_classes])
    event = np.where(rng.random(line.event.shape) < (line.event == ON).mean(axis=1, keepdims=True), ON, HOLD)
    ladder = 43 + np.cumsum(rng.integers(-2, 3, event.shape) * (event == ON), axis=1)
    return Line.from_events(event, np.where(event == ON, scale[np.clip(ladder, 0, len(scale) - 1)], -1))


def test_people_earn_more_than_their_notes_at_random_and_than_a_walk(people: Excerpts) -> None:
    rng = np.random.default_rng(5)
    earned: dict[str, list[np.ndarray]] = {"people": [], "shuffled": [], "walk": []}
    rules = RULES.without_chords()  # notes at random have none
    by_rule: dict[str, float] = dict.fromkeys(rules.names, 0.0)
    for line, context in people:
        for name, some in (
            ("people", line), ("shuffled", shuffled(line, rng)), ("walk", walking(line, context.key, rng)),
        ):  # fmt: skip
            rewards = rules.rewards(some, context)
            earned[name].append(sum(rewards.values()).sum(axis=1))
            if name == "people":
                for rule, terms in rewards.items():
                    by_rule[rule] += float(np.abs(terms.sum(axis=1)).sum())
    totals = {name: np.concatenate(parts) for name, parts in earned.items()}
    human = totals["people"].mean()
    for other in ("shuffled", "walk"):
        apart = human - totals[other].mean()
        assert apart > 10
        assert apart > np.hypot(totals["people"].std(), totals[other].std())
        assert (totals["people"][: len(totals[other])] > totals[other]).mean() > 0.85
    # No rule dominates: none moves a human melody by more than three points on average
    assert max(by_rule.values()) / len(totals["people"]) < 3.0


def test_a_rule_can_be_copied_with_its_band() -> None:
    assert replace(RULES["range"], weight=2.0).weight == 2.0
    assert features_of(RULES.with_weights(range=3.0)) == features_of(RULES)
