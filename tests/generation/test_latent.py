"""Playing in the space of codes: ends are exact, what lies between is in key, and more is further away."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import normalize_key
from cantilena.errors import UsageError
from cantilena.generation import (
    ComposeOptions,
    Composer,
    Composition,
    LatentMelody,
    LatentOptions,
    between,
    load,
    read_melody_or_notes,
)
from cantilena.generation.latent import key_between
from cantilena.io import write
from cantilena.models import Bars, Bundle, MelodyVae, Sequences, VaeOptions, Windows, reconstruction, vae_shapes
from cantilena.music import Key, Melody, Meter, Tempo
from cantilena.rules import Context
from cantilena.rules.tonality import out_of_key
from cantilena.tokenizers import GridEncoding

SHAPE = VaeOptions(latent=8, encoder=8, width=16, embedding=8, reading=4, plan=4, hidden=16)
GRID = GridEncoding()
FIRST = read_melody_or_notes("C4 D4 E4 F4 G4/2 E4/2 F4 D4 B3 D4 C4/1")
LAST = read_melody_or_notes("F#4/8 G#4/8 A4 B4 C#5 A4/2 E4/2 D5/8 C#5/8 B4 A4 G#4 A4/1 E4/1 A4/1")


def composer_of(*, normalized_key: bool = True) -> Composer:
    rng = np.random.default_rng(2)
    weights = {name: rng.normal(0, 0.4, shape) for name, shape in vae_shapes(SHAPE, 38).items()}
    return Composer.from_bundle(
        Bundle(SHAPE, weights, GRID.description(), provenance={"plain_keys": normalized_key}), "vae"
    )


VAE = composer_of()


def sounding(melody: Melody) -> list[tuple[tuple[int, ...], int, int]]:
    return [(note.pitches, note.onset, note.duration) for note in melody.sounding]


def outside(melody: Melody, key: Key) -> int:
    """Notes outside a key, as the rule hears them."""
    step = Context(key)
    return sum(int(out_of_key(GRID.line(np.array([[2 + note.top % 12]])), step).sum()) for note in melody.sounding)


@pytest.mark.parametrize("steps", [2, 3, 7])
@pytest.mark.parametrize("normalized_key", [True, False])
def test_the_ends_of_a_way_are_the_melodies_themselves(steps: int, *, normalized_key: bool) -> None:
    made = composer_of(normalized_key=normalized_key).interpolate(FIRST, LAST, steps)
    assert len(made) == steps
    for melody, given in ((made[0], FIRST), (made[-1], LAST)):
        assert melody.notes == given.notes
        assert (melody.key, melody.meter, melody.length) == (given.key, given.meter, given.length)


def test_ends_that_no_token_can_say_stay_as_they_are_and_what_is_lost_is_counted() -> None:
    odd = Melody.from_pitches([((60, 64, 67), 24), (108, 24), (62, 25), (None, 23)], key=Key())
    made = VAE.interpolate(odd, FIRST, 3)
    assert made[0].notes == odd.notes
    lost = LatentMelody.encode(VAE, odd).lost()
    assert lost["dropped"] == 2
    assert lost["folded"] == 1
    assert lost["rounded"] >= 1


def test_what_lies_between_is_in_keys_along_the_circle_of_fifths() -> None:
    assert (FIRST.key, LAST.key) == (Key.parse("C major"), Key.parse("A major"))
    made = VAE.interpolate(FIRST, LAST, 7)
    names = [melody.key.name for melody in made if melody.key]
    assert names == ["C major", "C major", "G major", "D major", "D major", "D major", "A major"]
    for melody in made[1:-1]:
        assert melody.key is not None
        assert melody.sounding
        assert outside(melody, melody.key) == 0


def test_a_key_that_is_given_is_that_of_all_between() -> None:
    made = VAE.interpolate(FIRST, LAST, 5, key="Eb minor")
    assert [melody.key for melody in made[1:-1]] == [Key.parse("Eb minor")] * 3
    assert [outside(melody, Key.parse("Eb minor")) for melody in made[1:-1]] == [0, 0, 0]
    assert made[0].notes == FIRST.notes


def test_melodies_of_unequal_length_meet_bar_by_bar() -> None:
    long = Melody.from_pitches([(60 + number % 12, 24) for number in range(4 * 12)], key=Key())
    made = VAE.interpolate(FIRST, long, 5)
    assert [melody.length // 96 for melody in made] == [4, 6, 8, 10, 12]


def test_pickups_tempos_and_other_meters() -> None:
    three = Meter(3, 4)
    waltz = Melody.from_pitches(
        [(67, 24), *[(72, 48), (76, 24)] * 4], key=Key(), meter=three, pickup=24, tempo=Tempo.constant(90)
    )
    other = replace(FIRST, meter=three, tempo=Tempo.constant(160))
    made = VAE.interpolate(waltz, other, 4)
    assert [melody.pickup for melody in made] == [24, 24, 0, 0]
    assert {melody.meter for melody in made} == {three}
    assert made[1].tempo.initial == pytest.approx(90 ** (2 / 3) * 160 ** (1 / 3))
    with pytest.raises(UsageError, match="one melody is in 3/4 and the other in 4/4"):
        VAE.interpolate(waltz, FIRST)
    varied = VAE.vary(waltz, 0.5)[0]
    assert (varied.meter, varied.pickup, varied.length) == (three, 24, waltz.length)


def test_range_and_rules_hold_between_the_ends() -> None:
    made = VAE.interpolate(FIRST, LAST, 5, range="C4-C5", constrain="rl-tuner:key")
    pitches = [note.top for melody in made[1:-1] for note in melody.sounding]
    assert min(pitches) >= 60
    assert max(pitches) <= 72
    assert [melody.rules_broken for melody in made[1:-1]] == [0, 0, 0]


def test_the_amount_0_is_the_melody_itself_and_the_same_seed_gives_the_same(tmp_path: Path) -> None:
    itself = VAE.vary(FIRST, 0.0, melodies=2)
    assert [melody.notes for melody in itself] == [FIRST.notes] * 2
    one, again = (VAE.vary(FIRST, 0.6, melodies=3, seed=4) for _ in range(2))
    assert one == again
    assert one[0] == VAE.vary(FIRST, 0.6, melodies=1, seed=4)[0]
    assert one != VAE.vary(FIRST, 0.6, melodies=3, seed=5)
    for number, melodies in enumerate((one, again)):
        write(melodies[0], tmp_path / f"{number}.mid")
    assert (tmp_path / "0.mid").read_bytes() == (tmp_path / "1.mid").read_bytes()
    assert VAE.interpolate(FIRST, LAST, 4) == VAE.interpolate(FIRST, LAST, 4)


def distance(melody: Composition, other: Composition) -> int:
    """Levenshtein's, between tokens: the fewest to put in, take out or change."""
    row = list(range(len(other.tokens) + 1))
    for number, token in enumerate(melody.tokens, 1):
        above, row = row, [number]
        for place, wanted in enumerate(other.tokens, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (token != wanted)))
    return row[-1]


def test_more_is_further_away() -> None:
    itself = VAE.vary(FIRST, 0.0)[0]
    amounts = (0.0, 0.05, 0.2, 0.4, 0.7, 1.0)
    far = [np.mean([distance(one, itself) for one in VAE.vary(FIRST, amount, melodies=8)]) for amount in amounts]
    assert far[0] == 0
    assert all(earlier < later for earlier, later in pairwise(far[1:])), far


def test_the_amount_1_forgets_the_melody() -> None:
    model = VAE.model
    assert isinstance(model, MelodyVae)
    one, other = (VAE.vary(melody, 1.0, melodies=4) for melody in (FIRST, replace(FIRST, notes=FIRST.notes[:3])))
    assert [melody.tokens for melody in one] == [melody.tokens for melody in other]


def test_variations_are_in_key_but_for_what_the_melody_has_itself() -> None:
    chromatic = read_melody_or_notes("C4 C#4 D4 E4 F4 G4 E4 C4")
    key = replace(chromatic, key=Key())
    classes = {note.top % 12 for melody in VAE.vary(key, 0.8, melodies=20) for note in melody.sounding}
    assert classes <= {*Key().pitch_classes, 1}
    assert 1 in classes


def test_between_goes_along_the_sphere() -> None:
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(2, 5, 48)).astype(np.float32)
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(last, axis=1)
    for share in (0.0, 0.25, 0.5, 1.0):
        found = between(first, last, share)
        expected = (1 - share) * lengths[0] + share * lengths[1]
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), expected, rtol=1e-5)
    np.testing.assert_allclose(between(first, last, 0.0), first, atol=1e-5)
    np.testing.assert_allclose(between(first, first, 0.4), first, atol=1e-5)
    np.testing.assert_allclose(between(first, -first, 0.5), 0 * first, atol=1e-3)  # a straight line where none turns
    assert np.isfinite(between(first, np.zeros_like(first), 0.5)).all()


def test_keys_between_keys() -> None:
    names = [key_between(Key.parse("Bb major"), Key.parse("E minor"), number / 4).name for number in range(5)]
    assert names == ["Bb major", "F major", "C major", "A minor", "E minor"]
    assert key_between(Key.parse("D dorian"), Key.parse("D dorian"), 0.3) == Key.parse("D dorian")


def test_a_primer_is_gone_on_from_in_its_own_codes() -> None:
    made = VAE.compose_many(3, ComposeOptions(bars=2, primer="C4 E4 G4/2"), seed=2)
    assert [sounding(melody)[:2] for melody in made] == [[((60,), 0, 24), ((64,), 24, 24)]] * 3
    assert len({melody.tokens for melody in VAE.compose_many(6, ComposeOptions(bars=8))}) == 6
    assert VAE.compose(bars=3, seed=5).log_likelihood < 0


def test_what_cannot_be_is_said_in_a_sentence(grid: Composer) -> None:
    for asked, words in (
        (lambda: grid.interpolate(FIRST, LAST), "is no VAE"),
        (lambda: grid.vary(FIRST), "is no VAE"),
        (lambda: VAE.interpolate(FIRST, LAST, 1), "steps is 1"),
        (lambda: VAE.interpolate(FIRST, LAST, 10**9), "steps is 1000000000"),
        (lambda: VAE.vary(FIRST, 2.0), "amount is 2"),
        (lambda: VAE.vary(FIRST, float("nan")), "amount is nan"),
        (lambda: VAE.vary(FIRST, melodies=0), "0 melodies"),
        (lambda: VAE.vary(Melody.from_pitches([(None, 96)])), "has no note"),
        (lambda: VAE.vary(Melody.from_pitches([(60, 24 * 4 * 2000)])), "the melody has"),
        (lambda: VAE.rewrite(FIRST, 1, 2), "cannot fit bars"),
        (lambda: read_melody_or_notes(""), "the melody holds no note"),
        (lambda: LatentOptions(amount=0.2), "--amount without --vary"),
        (lambda: LatentOptions(steps=3), "--steps without --interpolate"),
        (lambda: LatentOptions(interpolate=("C4", "D4"), vary="C4"), "together"),
        (lambda: VAE.vary(FIRST, bars=4), "--bars and --vary"),
        (lambda: VAE.vary(FIRST, with_primer=False), "--no-primer and --vary"),
        (lambda: VAE.vary(FIRST, key="D minor"), "--key and --vary"),
        (lambda: VAE.interpolate(FIRST, LAST, key="D minor", temperature=0.5), "--temperature and --interpolate"),
    ):
        with pytest.raises(UsageError, match=words):
            asked()


def test_a_melody_has_its_code_in_the_octave_in_which_such_are_learned() -> None:
    tune = read_melody_or_notes("G4 B4 D5 G5 F#5 D5 B4 G4")
    coded = LatentMelody.encode(VAE, tune)
    learned = normalize_key(tune, low=GRID.low, high=GRID.high)
    assert coded.placement.primer.tolist() == GRID.encode(learned).tolist()
    assert VAE.interpolate(tune, FIRST, 2)[0].notes == tune.notes
    assert GRID.decode(coded.placement.primer).transposed(coded.placement.semitones).notes == tune.notes


def test_the_vae_that_ships_says_bars_back_and_its_variations_go_further_with_the_amount() -> None:
    composer = load("tunes-vae")
    model = composer.model
    assert isinstance(model, MelodyVae)
    tune = read_melody_or_notes("G4/8 A4/8 B4 D5 B4 G4/2 A4 B4 C5/8 B4/8 A4 B4/2 G4/2")
    coded = LatentMelody.encode(composer, tune)
    windows = Windows.from_sequences(
        Sequences((coded.placement.primer,), Bars.common_time(1)), model.options.bars
    ).sequences
    assert reconstruction(model, windows).steps > 0.85
    itself = composer.vary(tune, 0.0)[0]
    amounts = (0.3, 0.5, 0.75, 1.0)
    far = [np.mean([distance(one, itself) for one in composer.vary(tune, amount, melodies=8)]) for amount in amounts]
    assert all(earlier < later for earlier, later in pairwise([0.0, *far])), far
    for melody in composer.interpolate(tune, FIRST, 5)[1:-1]:
        assert outside(melody, melody.key or Key()) == 0
