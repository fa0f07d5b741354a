"""Composing by forms: lengths, returns, cadences, primers, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import BundleError, UsageError
from cantilena.generation import ComposeOptions, Composer, load
from cantilena.generation.form import FormPlan
from cantilena.generation.sampling import Drawing
from cantilena.models import FormModel, Network, NetworkOptions
from cantilena.music import Cadence, Form, Key, Melody, Meter, Note, dominant_tones
from cantilena.tokenizers import NotesEncoding

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48), 60, 79)
FORMS = FormModel.learned_from([(Meter(), Form.parse("A4A'4B8")), (Meter(3, 4), Form.parse("AABA", 16, ending="half"))])


@pytest.fixture(scope="module")
def composer() -> Composer:
    options = NetworkOptions(
        width=8, embedding=8, durations=NOTES.durations, pitches=NOTES.high - NOTES.low + 1, plan=True
    )
    network = Network(options, len(NOTES.vocabulary), seed=2)
    return Composer(network, network, NOTES, forms=FORMS)


def section_notes(melody: Melody, form: Form, number: int) -> list[tuple[int, int, tuple[int, ...]]]:
    bar = melody.meter.ticks_per_bar
    section = form.sections[number]
    start, end = (section.first - 1) * bar, section.last * bar
    return [(n.onset - start, n.duration, n.pitches) for n in melody.sounding if start <= n.onset < end]


@settings(max_examples=8, deadline=None)
@given(
    text=st.sampled_from(["AABA", "AA'BA'", "ABAC", "A2B2A2", "A4A'4", "AAAA", "A4B4"]),
    meter=st.sampled_from(["4/4", "3/4", "6/8", "2/4"]),
    ending=st.sampled_from(["full", "half", "open"]),
    key=st.sampled_from(["C major", "A minor", "Eb major"]),
    primer=st.sampled_from(["", "C4 E4/8 G4/8"]),
    seed=st.integers(0, 1000),
)
def test_a_form_is_kept(
    composer: Composer, text: str, meter: str, ending: Any, key: str, primer: str, seed: int
) -> None:
    melody = composer.compose(form=text, meter=meter, ending=ending, key=key, primer=primer, seed=seed)
    form = melody.form
    assert form is not None
    assert str(form).replace("'", "") == str(Form.parse(text)).replace("'", "")
    bar = melody.meter.ticks_per_bar
    assert melody.length == form.bars * bar
    assert melody.notes[-1].end == melody.length
    above = (melody.notes[-1].top - Key.parse(key).tonic) % 12
    dominant = dominant_tones(composer.place(ComposeOptions(key=key), None).model_key)
    fits = {"full": above == 0, "half": above in dominant, "open": above not in {0, *dominant}}
    last = form.sections[-1]
    if last.kind == "new" or form.sections[0].label != last.label:
        assert fits[ending]
    for number, section in enumerate(form.sections):
        first = next(n for n, one in enumerate(form.sections) if one.label == section.label)
        mine, origin = section_notes(melody, form, number), section_notes(melody, form, first)
        if section.kind == "literal":
            assert mine == origin
        elif section.kind == "varied":
            kept = len(set(mine) & set(origin))
            assert mine != origin
            assert kept >= 0.6 * len(origin) or len(origin) < 5
    assert all(note.onset // bar // section.bars >= 0 for note in melody.notes for section in form.sections)


def test_no_note_lasts_beyond_its_section(composer: Composer) -> None:
    melody = composer.compose(form="A3B5C8", seed=3)
    for edge in (3 * 96, 8 * 96):
        assert not any(note.onset < edge < note.end for note in melody.notes)


def test_sixteen_bars_are_sixteen_with_a_primer_and_without(composer: Composer) -> None:
    for options in ({"primer": "C4 D4 E4 F4 G4"}, {"primer": "C4 D4", "form": "free"}):
        assert composer.compose(bars=16, seed=1, **options).length == 16 * 96
    assert composer.compose(seed=1).length == 16 * 96  # neither bars nor a form
    for shipped in ("tunes", "tunes+rl-tuner"):
        assert load(shipped).compose(bars=4, primer="C4 D4 E4 F4 G4", seed=1).length == 4 * 96


def test_the_plan_says_what_was_composed(composer: Composer) -> None:
    melody = composer.compose(bars=16, form="AABA", key="D minor", ending="half", seed=1)
    assert melody.plan == {
        "bars": 16,
        "sections": [
            {"label": "A", "bars": [1, 4], "return": "new"},
            {"label": "A", "bars": [5, 8], "return": "literal"},
            {"label": "B", "bars": [9, 12], "return": "new"},
            {"label": "A", "bars": [13, 16], "return": "literal"},
        ],
        "key": "D minor",
        "cadence": "half",
    }
    auto = composer.compose(bars=16, seed=1)
    assert str(auto.form) == "A4A'4B8"
    free = composer.compose(bars=2, form="free", seed=1)
    assert (free.plan, free.no_form) == (None, "--form free")
    grid = load("tunes+rl-tuner").compose(bars=2, seed=1)
    assert (grid.plan, grid.no_form) == (None, "this model has learned no forms")
    shipped = load("tunes").compose(bars=8, seed=1)
    assert shipped.plan is not None
    assert (shipped.plan["bars"], shipped.plan["key"], shipped.no_form) == (8, "C major", "")


def test_melodies_do_not_depend_on_their_number_and_streams_are_equal(composer: Composer) -> None:
    options = ComposeOptions(form="AA'BA", bars=4)
    several = composer.compose_many(3, options, seed=4)
    assert composer.compose_many(2, options, seed=4) == several[:2]
    chunks = list(composer.stream(3, options, seed=4))
    assert chunks[-1].compositions == tuple(several)
    assert [note for chunk in chunks for note in chunk.notes[0]] == list(several[0].notes)


@pytest.mark.parametrize("search", [1, 2])
def test_melodies_do_not_depend_on_forms_with_more_sections(composer: Composer, search: int) -> None:
    forms, pickups = ("A2A'2", "A1A'1B1A'1"), range(0, 96, 12)
    learned = FormModel.learned_from(
        [(Meter(), Form.parse(form)) for form in forms], [(Meter(), ticks) for ticks in pickups]
    )
    options, asked = ComposeOptions(bars=4, search=search), replace(composer, forms=learned)
    several = asked.compose_many(8, options, seed=1)
    sections = [len(melody.form.sections) for melody in several if melody.form is not None]
    assert set(sections) == {2, 4}
    first = sections.index(4)  # before it are only forms with fewer sections, which vary a return too
    assert first > 1
    assert len({melody.pickup for melody in several}) > 2
    for number in (first, 1):
        assert asked.compose_many(number, options, seed=1) == several[:number]


@pytest.mark.e2e
def test_varied_returns_differ_even_if_the_network_would_repeat(composer: Composer) -> None:
    for seed in range(2):
        melody = composer.compose(form="A4A'4", greedy=True, seed=seed)
        assert melody.form is not None
        assert section_notes(melody, melody.form, 0) != section_notes(melody, melody.form, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "AAB", "bars": 16}, "15 or 18"),
        ({"form": "A8A8B8A8", "bars": 16}, "32"),
        ({"form": "12"}, "not a form"),
        ({"ending": "plagal"}, "auto, full, half or open"),
        ({"form": "free", "ending": "full"}, "no effect"),
        ({"form": "AABA", "events": 9}, "give --bars"),
        ({"bars": 2, "primer": "C4 D4 E4 F4 C4 D4 E4 F4"}, "more than 2 bars"),
        ({"form": "A1B1", "primer": "C4/1 C4/1 C4"}, "more than 3 bars"),
    ],
)
def test_what_cannot_be_is_refused(composer: Composer, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as error:
        composer.compose(**options)
    assert words in f"{error.value.text}; {error.value.hint}"


def test_a_model_without_forms_refuses_one() -> None:
    with pytest.raises(UsageError, match="learned no forms"):
        load("tunes+rl-tuner").compose(bars=8, form="AABA")


def test_forms_of_other_lengths_are_cut_or_extended() -> None:
    rng = np.random.default_rng(1)
    assert [str(FORMS.propose(bars, Meter(), rng)) for bars in (16, 6, 20)] == ["A4A'4B8", "A4B2", "A4A'4B8C4"]
    again = FormModel.from_json(FORMS.to_json())
    assert again == FORMS
    assert all(FORMS.propose(bars, Meter(6, 8), rng).bars == bars for bars in (1, 5, 33, 100))


def cadenced(text: str, *cadences: Cadence) -> Form:
    form = Form.parse(text)
    return Form(tuple(replace(one, cadence=cadence) for one, cadence in zip(form.sections, cadences, strict=True)))


def test_forms_have_the_cadences_of_all_sections_that_were_counted(composer: Composer) -> None:
    counted = cadenced("A2B2A2", "half", "open", "full")  # literal by more than 95 % of its notes, not by its last one
    model = FormModel.learned_from([(Meter(), counted)])
    assert model.counts == {("4/4", "A2B2A2", "half open full"): 1}
    assert FormModel.from_json(model.to_json()) == model
    rng = np.random.default_rng(1)
    assert [one.cadence for one in model.propose(6, Meter(), rng).sections] == ["full", "open", "full"]
    for seed in range(3):
        melody = replace(composer, forms=model).compose(bars=6, seed=seed)
        assert melody.form is not None
        for number, fits in enumerate(({0}, set(range(12)) - {0, *dominant_tones(Key())}, {0})):
            onset, duration, pitches = section_notes(melody, melody.form, number)[-1]
            assert onset + duration < 2 * 96 or (pitches[-1] - 60) % 12 in fits  # before a rest it may be any note


def test_a_form_that_is_asked_gets_the_cadences_of_forms_like_it() -> None:
    model = FormModel.learned_from([(Meter(), cadenced("A4A'4B8", "half", "full", "full"))])
    rng = np.random.default_rng(1)
    alike = model.with_cadences(Form.parse("AA'B", 12), rng)
    assert [one.cadence for one in alike.sections] == ["half", "full", "full"]
    other = model.with_cadences(Form.parse("ABA", 12, ending="open"), rng)
    assert [one.cadence for one in other.sections] == ["open", "half", "open"]  # a section that is new was half
    alone = FormModel({("4/4", "A4A'4B8", "full"): 1})  # as bundles of earlier versions have it
    assert alone.with_cadences(Form.parse("AA'B", 12), rng) == Form.parse("AA'B", 12)


@pytest.mark.parametrize("cadences", ["half", "half full", "half full plagal", "half  full", "full full full full"])
def test_cadences_that_do_not_fit_the_form_are_refused(cadences: str) -> None:
    row = ["4/4", "A4A'4B8", cadences, 1]
    if cadences == "half":
        assert FormModel.from_json([row]).counts
        return
    with pytest.raises(BundleError, match="forms are damaged"):
        FormModel.from_json([row])


def test_a_note_without_an_origin_is_free(composer: Composer) -> None:
    """A primer that lasts over the end of the first section leaves nothing that begins where the return begins."""
    primer = Melody((Note((60,), 0, 120),), length=120)
    melody = composer.compose(form="A1A1B2", primer=primer, seed=1)
    assert melody.length == 4 * 96


def test_pickups_are_those_of_the_meter_and_shorten_the_last_bar(composer: Composer) -> None:
    model = FormModel.learned_from([(Meter(), Form.parse("A4A4"))], [(Meter(), 24)] * 3 + [(Meter(3, 4), 0)])
    learned = replace(composer, forms=model)
    for melody in learned.compose_many(3, bars=8, seed=2):
        assert (melody.pickup, melody.length) == (24, 8 * 96)
        assert melody.form is not None
        assert section_notes(melody, melody.form, 0) == section_notes(melody, melody.form, 1)
    assert learned.compose(bars=8, meter="3/4").pickup == 0  # as all of that meter
    for asked in ({"primer": "C4 E4"}, {"form": "free"}, {"constrain": "rl-tuner:key"}):
        assert learned.compose(bars=8, **asked).pickup == 0
    assert learned.compose(bars=8, with_primer=False).pickup == 24  # without a primer nothing is left out
    bars = learned.plan(range(2), ComposeOptions(bars=8), 1).arguments["bars"]
    assert bars.pickup.tolist() == [24, 24]
    assert FormModel.from_json(model.to_json()) == model
    assert FormModel.from_json(model.to_json()["forms"]).propose_pickup(Meter(), np.random.default_rng(1)) == 0


@pytest.mark.parametrize("row", [["4/4", 96, 1], ["4/4", -1, 1], ["4/4", 24, 0], ["4/4", 24], ["0/4", 24, 1], "4/4", 5])
def test_damaged_pickups_are_refused(row: Any) -> None:
    with pytest.raises(BundleError, match="pickups"):
        FormModel.from_json({"forms": [], "pickups": [row]})


@pytest.mark.parametrize("row", [["4/4", 96, 24, 1], ["4/4", 0, 24, 0], ["4/4", 24, 1], ["0/4", 0, 24, 1]])
def test_damaged_last_notes_are_refused(row: Any) -> None:
    with pytest.raises(BundleError, match=r"last notes|pickups"):
        FormModel.from_json({"forms": [], "pickups": [], "last_notes": [row]})


@pytest.mark.parametrize("form", ["A4A4", "A4A'4", "A4B4", "A4B4A'4"])
@pytest.mark.parametrize("search", [1, 3])
def test_last_notes_have_the_lengths_that_were_drawn(composer: Composer, form: str, search: int) -> None:
    ends = [(Meter(), 24, 48), (Meter(), 24, 24), (Meter(3, 4), 0, 24)]
    model = FormModel.learned_from([(Meter(), Form.parse("A4"))], [(Meter(), 24), (Meter(3, 4), 0)], ends)
    assert FormModel.from_json(model.to_json()) == model
    learned = replace(composer, forms=model)
    made = learned.compose_many(8, form=form, seed=3, search=search)
    assert {one.sounding[-1].duration for one in made} == {24, 48}
    assert {one.sounding[-1].duration for one in learned.compose_many(4, form=form, meter="3/4", seed=3)} == {24}


@pytest.mark.parametrize("ticks", [480, 71])  # longer than its section, and no length that the model knows
def test_a_last_note_that_cannot_be_is_left_to_the_network(composer: Composer, ticks: int) -> None:
    counts = ([(Meter(), Form.parse("A4"))], [(Meter(), 0)])
    free, far = (FormModel.learned_from(*counts, ends) for ends in ([], [(Meter(), 0, ticks)]))
    first, second = (replace(composer, forms=one).compose(form="A4A4", seed=3) for one in (free, far))
    assert first.notes == second.notes


def test_endings_are_chosen_in_which_what_the_form_asks_for_is_not_improbable() -> None:
    composer, mass = load("tunes"), {}
    for endings in (1, 8):
        plan = composer.plan(range(40), ComposeOptions(form="A4"), 3)
        assert isinstance(plan.form, FormPlan)
        drawing = Drawing(composer.model, **{**plan.arguments, "endings": endings})
        before = np.zeros(40)
        while not drawing.is_done:
            is_early = drawing.clock < plan.form.length - plan.form.ticks_per_bar
            drawing.advance()
            before = np.where(is_early, drawing.log_mass, before)
        mass[endings] = float((drawing.log_mass - before).mean())
    assert mass[8] > mass[1] + 0.3
