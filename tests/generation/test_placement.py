"""Where a composition lies: the range and register of a lead, and the modes that a model tells apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cantilena.generation import ComposeOptions, Composer
from cantilena.models import CONDITIONS, Network, NetworkOptions, register_id
from cantilena.music import Key, Melody
from cantilena.tokenizers import NotesEncoding

NOTES = NotesEncoding((1, 12, 24, 48), 48, 83)
ROLE, REGISTER = CONDITIONS.index("role"), CONDITIONS.index("register")


@pytest.fixture(scope="module")
def composer() -> Composer:
    options = NetworkOptions(
        width=8, embedding=8, durations=NOTES.durations, pitches=36, conditions=("mode", "role", "register")
    )
    network = Network(options, len(NOTES.vocabulary), seed=1)
    return Composer(network, network, NOTES, modes=options.modes, has_roles=True)


@pytest.mark.parametrize("key", ["C major", "G major", "F minor", "B dorian"])
def test_without_a_range_a_lead_is_composed_on_the_treble_staff(composer: Composer, key: str) -> None:
    melodies = composer.compose_many(4, bars=4, key=key)
    assert all(60 <= note.top <= 81 for melody in melodies for note in melody.sounding)
    placement = composer.place(ComposeOptions(key=key), None)
    ids = placement.bars(2).condition_ids
    assert ids[:, ROLE].tolist() == [1, 1]
    assert ids[:, REGISTER].tolist() == [register_id(70.5 - placement.semitones)] * 2
    assert placement.model_key == Key.parse(key).plain


def test_a_range_decides_the_register_and_a_primer_goes_on_in_its_own(composer: Composer) -> None:
    low = composer.place(ComposeOptions(range="C3-C4"), None)
    assert low.bars(1).condition_ids[0, REGISTER] == register_id(54.0 - low.semitones)
    melody = composer.compose(bars=4, range="C3-C4")
    assert all(48 <= note.top <= 60 for note in melody.sounding)
    primer = Melody.from_pitches([(52, 24), (50, 24)], key=Key())
    after = composer.place(ComposeOptions(), primer)
    assert after.allowed is None
    assert after.bars(1).condition_ids[0, REGISTER] == register_id(51.0)


def test_a_model_without_roles_composes_where_it_likes(composer: Composer) -> None:
    placement = replace(composer, has_roles=False).place(ComposeOptions(), None)
    assert placement.allowed is None
    assert not placement.bars(1).condition_ids[:, [ROLE, REGISTER]].any()
