"""What a model expects: rows are distributions, and notes have the probabilities of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer, Conditioning, next_notes, note_probabilities
from cantilena.models import Bars, FormModel, Network, NetworkOptions, log_probs_with_bars, to_numpy
from cantilena.music import Form, Key, Melody, Meter
from cantilena.tokenizers import NotesEncoding

SHORT = NotesEncoding((1, 6, 12, 24, 36, 48), 48, 83)
TUNE = Melody.from_pitches([(60, 24), (64, 3), (65, 3), (None, 6), (67, 16), (69, 44)], key=Key())


@pytest.mark.parametrize("name", ["grid", "notes", "chords"])
@given(seed=st.integers(0, 99), temperature=st.sampled_from([0.01, 1.0, 3.0]))
@settings(max_examples=6, deadline=None)
def test_rows_are_distributions(timed: dict[str, Composer], name: str, seed: int, temperature: float) -> None:
    composer = timed[name]
    melody = composer.compose(bars=2, meter="3/4", seed=seed)
    expected = next_notes(composer, melody, temperature=temperature)
    total = expected.off + expected.hold + expected.pitches.sum(axis=1)
    np.testing.assert_allclose(total, 1.0, atol=1e-5)
    assert len(total) == 2 * 12 + 1
    assert all(0.0 <= p <= 1.0 for p in expected.of(melody))
    assert min(expected.off.min(), expected.hold.min(), expected.pitches.min()) >= 0


def test_notes_have_the_probabilities_of_the_model(notes: Composer) -> None:
    encoding = notes.encoding
    assert isinstance(encoding, NotesEncoding)
    tokens = encoding.encode(TUNE)[None]
    bars = Bars.from_meter(Meter(), melodies=1, ticks_per_step=1)
    log_probs = np.asarray(log_probs_with_bars(notes.model, tokens, bars), dtype=float)[0]
    own = np.exp(log_probs[np.arange(tokens.shape[1]), tokens[0]])
    expected = next_notes(notes, TUNE)
    pitched = [place for place in range(1, tokens.shape[1], 2) if tokens[0, place] != encoding.rest]
    np.testing.assert_allclose(expected.of(TUNE), own[pitched], rtol=1e-4)
    # The first note begins at step 0 and lasts until step 4.
    durations = np.exp(log_probs[0, slice(*encoding.parts[0])])
    ends = np.array(encoding.durations) // 6
    assert expected.hold[0] == 0.0
    for step in (1, 2, 3):
        lasts = durations[ends > step].sum() / durations[ends >= step].sum()
        assert expected.hold[step] == pytest.approx(lasts, rel=1e-4)
        share = np.exp(log_probs[3, encoding.parts[1][0] + 64 - encoding.low])  # as the second note begins
        assert expected.pitches[step, 64 - expected.low] == pytest.approx((1 - lasts) * share, rel=1e-4)
    assert expected.off[5] == pytest.approx(own[7], rel=1e-4)  # the rest
    assert expected.pitches.shape == (17, encoding.high - encoding.low + 1)


@pytest.mark.parametrize("primer", ["", "C4 E4/8 r/8 G4"])
@pytest.mark.parametrize("with_primer", [True, False])
@pytest.mark.parametrize("name", ["grid", "notes", "chords"])
def test_notes_of_compositions(timed: dict[str, Composer], name: str, primer: str, with_primer: bool) -> None:
    options = ComposeOptions(bars=2, primer=primer, with_primer=with_primer, key="C major")
    made = timed[name].compose_many(3, options, seed=3)
    for one, probabilities in zip(made, note_probabilities(timed[name], made, options), strict=True):
        lead = 72 if primer and with_primer else 0
        assert [p is None for p in probabilities] == [note.onset < lead for note in one.sounding]
        assert all(0.0 < p <= 1.0 for p in probabilities if p is not None)
    if name == "notes":
        alone = note_probabilities(timed[name], made[1:2], options)[0]
        together = note_probabilities(timed[name], made, options)[1]
        np.testing.assert_allclose([p or 0 for p in alone], [p or 0 for p in together], rtol=1e-4)


@pytest.mark.parametrize("primer", ["", "C4 E4/8 r/8 G4"])
def test_what_a_model_was_told_gives_the_probabilities_of_its_notes(formed: Composer, primer: str) -> None:
    options = ComposeOptions(bars=8, primer=primer, key="A major")  # composed in another octave than read
    made = formed.compose_many(8, options, seed=4)
    plan = formed.plan(range(8), options, seed=4)
    rows = [formed.encoding.encode(one.transposed(-plan.placement.semitones)) for one in made]
    assert {one.pickup for one in made} == ({0} if primer else {0, 24})
    given = 3 if primer else 0
    for row, (tokens, one, shown) in enumerate(zip(rows, made, note_probabilities(formed, made, options), strict=True)):
        told = plan.arguments["bars"][[row]]
        log_probs = to_numpy(log_probs_with_bars(formed.model, tokens[None], told))[0]
        own = np.exp(log_probs[np.arange(len(tokens)), tokens])
        pitched = [p for p, token in zip(own[1::2], tokens[1::2], strict=True) if token != formed.encoding.rest]
        np.testing.assert_allclose(np.array(shown[given:], dtype=float), pitched[given:], rtol=1e-4)
        np.testing.assert_allclose(next_notes(formed, one, conditioning=one.conditioning).of(one), pitched, rtol=1e-4)
        assert not np.allclose(next_notes(formed, one).of(one), pitched, rtol=1e-2)
        assert one.conditioning is not None
        after = [
            next_notes(formed, one, conditioning=given).pitches[-1]
            for given in (one.conditioning, replace(one.conditioning, length=0, form=None))
        ]
        np.testing.assert_allclose(*after)  # nobody has said how long the continuation will be


def test_rewritten_notes_too(formed: Composer) -> None:
    melody = formed.compose(bars=8, seed=5)
    (made,) = formed.rewrite(melody, 3, 4, seed=5)
    assert made.conditioning is not None
    assert (made.conditioning.length, made.conditioning.form) == (melody.length, None)
    expected = next_notes(formed, made, conditioning=made.conditioning).of(made)
    new = [melody.pickup + 2 * 96 <= note.onset < melody.pickup + 4 * 96 for note in made.sounding]
    nats = float(np.log([p for p, is_new in zip(expected, new, strict=True) if is_new]).sum())
    assert made.policy_log_likelihood < nats < 0.0  # durations and rests have probabilities too


def test_what_cannot_have_been_told_is_refused(notes: Composer) -> None:
    with pytest.raises(UsageError, match="no style 1"):
        next_notes(notes, TUNE, conditioning=Conditioning(style=1))
    with pytest.raises(UsageError, match="pitch"):
        next_notes(notes, TUNE, conditioning=Conditioning(semitones=100))


@pytest.fixture(scope="module")
def formed() -> Composer:
    """A model of notes that is told forms, roles and registers."""
    options = NetworkOptions(
        width=24, embedding=16, durations=SHORT.durations, pitches=SHORT.high - SHORT.low + 1, plan=True,
        conditions=("mode", "meter", "role", "register"),
    )  # fmt: skip
    network = Network(options, len(SHORT.vocabulary), seed=2)
    forms = FormModel.learned_from([(Meter(), Form.parse("A4A'4"))], [(Meter(), 24), (Meter(), 0)])
    return Composer(network, network, SHORT, forms=forms, has_roles=True)


@pytest.fixture(scope="module")
def timed(grid: Composer, notes: Composer, chords: Composer) -> dict[str, Composer]:
    return {"grid": grid, "notes": notes, "chords": chords}
