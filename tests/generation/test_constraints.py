"""Rules as constraints: no token that breaks more of them than another, judged anew in plain Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.errors import BundleError, UsageError
from cantilena.generation import ComposeOptions, Composer, Constraints, SamplingOptions, read_primer, sample
from cantilena.generation.constraints import OUTSIDE
from cantilena.models import Bundle, Network, NetworkOptions, log_probs_with_bars
from cantilena.music import Key, Line, Melody
from cantilena.rules import RULE_SETS, Context, Rule, RuleSet, leap_outcomes
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding, NotesEncoding, parse_tokens

GRID = GridEncoding()
RL_TUNER = RULE_SETS["rl-tuner"]
WILD = SamplingOptions(temperature=3.0)
NOTES = NotesEncoding()
CHORDS = EventsEncoding(("C4", "D4", "E4", "F#4", "G4", "C5", "0.4.7", "2.6.9"))


def model_of(encoding: Encoding, seed: int = 3) -> Network:
    return Network(NetworkOptions(width=24, embedding=16), len(encoding.vocabulary), seed=seed)


def judged_alone(rule: Rule, line: Line, step: int, context: Context) -> float:
    return float(rule.weight * rule.rewards(line, context)[0, step])


def broken_by_hand(
    rules: tuple[Rule, ...], asks: set[str], encoding: Encoding, heard: list[int], steps: int, context: Context
) -> list[int]:
    """How many rules each token breaks: one whole melody a token, with any tokens after it."""
    rng = np.random.default_rng(len(heard))
    counts = [0] * len(encoding.vocabulary)
    lines = []
    for token in range(len(counts)):
        after = rng.integers(len(counts), size=steps - len(heard) - 1).tolist()
        lines.append(encoding.line(np.array([[*heard, token, *after]])))
    for rule in rules:
        values = [judged_alone(rule, line, len(heard), context) for line in lines]
        wanted = rule.name in asks and max(values) > 0 and min(values) >= 0
        for token, value in enumerate(values):
            counts[token] += value < 0 or (wanted and value == 0)
    return counts


ASKS = {"tonic", "motif", "repeated_motif", "extremes"}


@pytest.mark.parametrize(
    ("encoding", "context"),
    [(GRID, Context()), (GRID, Context(Key.parse("A minor"), steps_per_bar=12)), (CHORDS, Context(steps_per_bar=8))],
)
@pytest.mark.parametrize("heard", [[], [2], [3, 1, 0], [5, 1, 3, 4] * 3, [3, 2, 4, 5, 6, 1, 0, 3] * 2 + [3] * 5])
def test_counts_are_those_of_each_token_judged_alone(encoding: Encoding, context: Context, heard: list[int]) -> None:
    for steps in (len(heard) + 1, len(heard) + 2, 24):
        constraints = Constraints(RL_TUNER.rules, encoding, context, steps)
        found = constraints.broken(np.array([heard, heard], dtype=np.int64))
        by_hand = broken_by_hand(RL_TUNER.rules, ASKS, encoding, heard, steps, context)
        assert found.tolist() == [by_hand, by_hand]


@pytest.mark.parametrize("text", ["", "1/4 C4", "1/4 F4 1/8 rest 1/16 D4", "1/12 C4 1/12 E4 1/12 G4", "1/96 C4 1/4 B4"])
@pytest.mark.parametrize("duration", ["1/4", "1/12", "1/2"])
def test_pitches_are_judged_alone_at_the_step_of_the_note(text: str, duration: str) -> None:
    """Against whole melodies of the same length that go on with any notes."""
    heard = parse_tokens(NOTES, text)
    steps, places = 32, NOTES.decode(heard).length
    before = np.concatenate([heard, parse_tokens(NOTES, duration)])
    constraints = Constraints(RL_TUNER.rules, NOTES, Context(), steps)
    assert set(constraints.broken(heard[None])[0]) <= {0}
    candidates = np.arange(*NOTES.parts[1])
    among = np.isin(np.arange(len(NOTES.vocabulary)), candidates)
    found = constraints.broken(before[None], among)
    assert (found[0, ~among] == OUTSIDE).all()
    rng, counts = np.random.default_rng(4), np.zeros(len(candidates), dtype=int)
    lines = []
    for pitch in candidates:
        tokens = [*before, pitch]
        left = steps * 6 - NOTES.decode(tokens).length
        while left:
            lasts = max(d for d in NOTES.durations if d <= min(left, 24))
            tokens += [NOTES.durations.index(lasts) + 1, int(rng.choice(candidates))]
            left -= lasts
        lines.append(NOTES.line(np.array([tokens])))
    for rule in RL_TUNER.rules:
        values = [judged_alone(rule, line, (places + 3) // 6, Context()) for line in lines]
        wanted = rule.name in ASKS and max(values) > 0 and min(values) >= 0
        counts += [value < 0 or (wanted and value == 0) for value in values]
    assert found[0, candidates].tolist() == counts.tolist()


def test_notes_keep_rules_and_rows_do_not_depend_on_others(notes: Composer) -> None:
    for options in (ComposeOptions(bars=4, meter="3/4"), ComposeOptions(events=16)):
        bound = options.replace(constrain="rl-tuner:key,rl-tuner:repetition,rl-tuner:leap", key="D minor")
        made = notes.compose_many(4, bound, sampling=WILD)
        assert made[:2] == notes.compose_many(2, bound, sampling=WILD)
        assert {one.rules_broken for one in made} == {0}
        assert all(note.top % 12 in Key.parse("D minor").pitch_classes for one in made for note in one.sounding)
        assert all(np.isfinite(one.policy_log_likelihood) for one in made)
    tonic = notes.compose_many(8, ComposeOptions(bars=1, key="C major", constrain="rl-tuner:tonic"), sampling=WILD)
    assert {one.tokens[1] for one in tonic} == {"C4"}


def test_every_note_of_a_chord_is_judged_and_counted_once(chords: Composer) -> None:
    made = chords.compose_many(12, ComposeOptions(bars=4, constrain="rl-tuner:key", key="D major"), sampling=WILD)
    sounding = [note for one in made for note in one.sounding]
    assert any(note.is_chord for note in sounding)
    assert {pitch % 12 for note in sounding for pitch in note.pitches} <= set(Key.parse("D major").pitch_classes)
    bound = RuleSet("none", (Rule.from_function(never),))
    events = chords.compose(events=9, constrain=bound)
    assert events.rules_broken == 9
    with pytest.raises(UsageError, match="beyond the 4"):
        Constraints(RL_TUNER.rules, NOTES, Context(), 4).broken(parse_tokens(NOTES, "1/4 C4 1/4")[None])


def test_no_note_leaves_the_key(grid: Composer) -> None:
    options = ComposeOptions(bars=2, constrain="rl-tuner:key")
    free = grid.compose_many(60, options, sampling=WILD, constrain="")
    assert any(note.top % 12 not in Key().pitch_classes for tune in free for note in tune.sounding)
    tunes = grid.compose_many(60, options, sampling=WILD)
    assert sum(len(tune.sounding) for tune in tunes) > 600
    assert all(note.top % 12 in Key().pitch_classes for tune in tunes for note in tune.sounding)
    assert {tune.rules_broken for tune in tunes} == {0}


@pytest.mark.parametrize("primer", ["", "C4 Eb4 G4/8 Ab4/8"])
@pytest.mark.parametrize("key", ["D minor", "Eb major", "F# minor"])
def test_the_rules_judge_in_the_key_of_the_result(grid: Composer, key: str, primer: str) -> None:
    options = ComposeOptions(bars=2, key=key, constrain="rl-tuner:key", primer=primer, with_primer=False)
    for tune in grid.compose_many(20, options, sampling=WILD):
        assert tune.sounding
        assert all(note.top % 12 in Key.parse(key).pitch_classes for note in tune.sounding)


@pytest.mark.parametrize(("primer", "steps"), [("", 32), ("D4 E4", 24), ("C4", 8)])
def test_the_tonic_stands_where_the_whole_melody_begins_and_ends(grid: Composer, primer: str, steps: int) -> None:
    options = ComposeOptions(events=steps, primer=primer, key="C major", constrain="rl-tuner:tonic")
    for tune in grid.compose_many(50, options, sampling=WILD):
        if not primer:
            assert tune.tokens[0] == "C4"
        assert tune.tokens[-4:-2] == ("C4", "hold")
        assert set(tune.tokens[-2:]) <= {"hold", "off"}
        assert tune.rules_broken == 0


def test_a_leap_is_never_doubled_not_even_the_primers(grid: Composer) -> None:
    options = ComposeOptions(bars=3, primer="C4 G4", key="C major", constrain="rl-tuner:leap")
    before = GRID.encode(replace(read_primer("C4 G4"), key=Key())).tolist()
    rows = [
        [*before, *map(GRID.vocabulary.index, tune.tokens)] for tune in grid.compose_many(60, options, sampling=WILD)
    ]
    outcomes = leap_outcomes(GRID.line(np.array(rows)))
    assert (outcomes == 1).any()
    assert not (outcomes == -1).any()


def test_chords_without_time_keep_rules_too(events: Composer) -> None:
    tune = events.compose(events=200, constrain="rl-tuner:key", temperature=5.0)
    assert set(tune.tokens) == {"C4", "D4", "E4", "A4", "C5", "0.4.7"}


def test_the_tokens_left_share_the_probability() -> None:
    network, steps = model_of(GRID), 12
    constraints = Constraints(RL_TUNER.only("key", "leap", "motif").rules, GRID, Context(), steps)
    uniforms = np.random.default_rng(2).random((4, steps))
    drawn = sample(network, uniforms, constraints=constraints)
    log_probs = network.log_probs(drawn.tokens).detach().numpy().astype(float)
    for melody, tokens in enumerate(drawn.tokens.tolist()):
        total, broken = 0.0, 0
        for step, token in enumerate(tokens):
            counts = broken_by_hand(constraints.rules, ASKS, GRID, tokens[:step], steps, Context())
            left = [other for other, count in enumerate(counts) if count == min(counts)]
            assert token in left
            total += log_probs[melody, step, token] - np.log(np.exp(log_probs[melody, step, left]).sum())
            broken += min(counts)
        assert drawn.log_likelihood[melody] == pytest.approx(total, abs=1e-4)
        assert drawn.broken is not None
        assert drawn.broken[melody] == broken
    np.testing.assert_array_equal(sample(network, uniforms[3:4], constraints=constraints).tokens[0], drawn.tokens[3])


def test_likelihoods_are_of_the_untuned_and_of_the_constrained_model(grid: Composer) -> None:
    tune = grid.compose(bars=1, constrain="rl-tuner:key", seed=3)
    tokens = np.array([[GRID.vocabulary.index(name) for name in tune.tokens]])
    log_probs = np.asarray(log_probs_with_bars(grid.prior, tokens, None), dtype=float)
    assert tune.log_likelihood == pytest.approx(np.take_along_axis(log_probs[0], tokens.T, axis=1).sum(), abs=1e-3)
    own = np.asarray(log_probs_with_bars(grid.model, tokens, None), dtype=float)[0]
    in_key = [token for token, name in enumerate(GRID.vocabulary) if "#" not in name]
    expected = sum(own[step, token] - np.log(np.exp(own[step, in_key]).sum()) for step, token in enumerate(tokens[0]))
    assert tune.policy_log_likelihood == pytest.approx(expected, abs=1e-3)


def never(line: Line, context: Context, *, penalty: float = -1.0) -> np.ndarray:
    """Nothing is right."""
    return np.full(line.event.shape, penalty)


def no_rest(line: Line, context: Context, *, penalty: float = -1.0) -> np.ndarray:
    """Something begins at every step."""
    return penalty * (line.event != 2)


def only_rest(line: Line, context: Context) -> np.ndarray:
    """Nothing ever begins."""
    return line.event != 2


def test_rules_that_nothing_keeps_leave_all_tokens(grid: Composer) -> None:
    options = ComposeOptions(bars=1)
    free = grid.compose_many(5, options)
    bound = grid.compose_many(5, options, constrain=RuleSet("none", (Rule.from_function(never),)))
    assert [tune.tokens for tune in bound] == [tune.tokens for tune in free]
    assert [tune.rules_broken for tune in bound] == [16] * 5
    assert [tune.rules_broken for tune in free] == [None] * 5
    np.testing.assert_allclose([t.policy_log_likelihood for t in bound], [t.policy_log_likelihood for t in free])


def test_rules_at_odds_break_as_few_as_can_be(grid: Composer) -> None:
    at_odds = (Rule.from_function(no_rest), Rule.from_function(only_rest), RL_TUNER["key"])
    tune = grid.compose(events=64, constrain=RuleSet("odd", at_odds))
    assert tune.rules_broken == 64  # one a step, and the key is kept
    assert all(note.top % 12 in Key().pitch_classes for note in tune.sounding)


def test_weights_turn_rules_round_or_off() -> None:
    heard = np.zeros((1, 0), dtype=np.int64)
    turned = Constraints(RL_TUNER.with_weights(key=-2.0).only("key").rules, GRID, Context(), 8)
    names = {GRID.vocabulary[token] for token in np.flatnonzero(turned.allowed(heard)[0])}
    assert names == {name for name in GRID.vocabulary if "#" in name}
    off = Constraints(RL_TUNER.with_weights(key=0.0).only("key").rules, GRID, Context(), 8)
    assert off.allowed(heard).all()


def test_a_rule_cannot_ask_for_what_lies_out_of_range(grid: Composer) -> None:
    options = ComposeOptions(events=16, key="C major", range="E4-B4", constrain="rl-tuner:tonic,rl-tuner:key")
    for tune in grid.compose_many(20, options, sampling=WILD):
        assert all(64 <= note.top <= 71 for note in tune.sounding)
        assert tune.tokens[-3] == "hold"  # of the ending, what can be had
        assert tune.rules_broken == 0


def test_a_policy_without_doubt_chooses_among_what_is_left(tuned: Bundle) -> None:
    sure = Composer.from_bundle(replace(tuned, policy="argmax-q"))
    tunes = sure.compose_many(20, ComposeOptions(bars=2, constrain="rl-tuner:key,rl-tuner:repetition"))
    assert all(note.top % 12 in Key().pitch_classes for tune in tunes for note in tune.sounding)
    assert all(np.isfinite(tune.policy_log_likelihood) for tune in tunes)
    greedy = ComposeOptions(bars=2, constrain="rl-tuner:key")
    assert len({t.tokens for t in Composer.from_bundle(tuned).compose_many(3, greedy, greedy=True)}) == 1


def test_a_rule_of_ones_own(grid: Composer, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def bare(line, context):\n    return line.event == 2\n")
    tune = grid.compose(bars=1, constrain=f"{path}:bare")
    assert "hold" not in tune.tokens
    assert "off" not in tune.tokens


@pytest.mark.parametrize(
    "text", ["jazz", "rl-tuner:swing", "rl-tuner,", "rl-tuner:", "missing.py:mine", "+", "x" * 5000]
)
def test_rules_that_are_not_there(grid: Composer, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        grid.compose(bars=1, constrain=text)
    assert refused.value.hint


def test_melodies_of_another_length_than_said() -> None:
    with pytest.raises(UsageError, match="5000 steps"):
        Constraints(RL_TUNER.rules, GRID, Context(), 5000)
    short = Constraints(RL_TUNER.rules, GRID, Context(), 4)
    with pytest.raises(UsageError, match="step 4 is beyond"):
        sample(model_of(GRID), np.zeros((1, 5)), constraints=short)


def tuned_in(bundle: Bundle, key: object, *, normalized_key: bool = True, meter: str = "") -> Bundle:
    return replace(bundle, provenance={"plain_keys": normalized_key, "tuning": {"key": key, "meter": meter}})


@pytest.mark.parametrize("normalized_key", [True, False])
def test_a_model_composes_in_the_key_that_it_was_tuned_in(tuned: Bundle, normalized_key: bool) -> None:
    composer = Composer.from_bundle(tuned_in(tuned, "A minor", normalized_key=normalized_key, meter="3/4"))
    tune = composer.compose(bars=2, constrain="rl-tuner:tonic,rl-tuner:key")
    assert (tune.key, tune.length) == (Key.parse("A minor"), 2 * 72)
    assert tune.tokens[0] == "A4"
    assert tune.sounding[0].name == "A4"
    other = composer.compose(bars=2, key="C minor", constrain="rl-tuner:tonic,rl-tuner:key")
    assert (other.tokens, other.sounding[0].top % 12) == (tune.tokens, 0)
    with_primer = composer.compose(bars=2, primer=Melody.from_pitches([(62, 24)], key=Key.parse("D minor")))
    assert with_primer.key == Key.parse("D minor")
    assert with_primer.sounding[0].name == "D4"


def test_a_model_of_plain_keys_was_tuned_in_the_plain_one(tuned: Bundle) -> None:
    tune = Composer.from_bundle(tuned_in(tuned, "D minor")).compose(bars=2, constrain="rl-tuner:tonic,rl-tuner:key")
    assert (tune.key, tune.tokens[0], tune.sounding[0].top % 12) == (Key.parse("D minor"), "A4", 2)
    free = Composer.from_bundle(tuned_in(tuned, "D minor", normalized_key=False))
    tune = free.compose(bars=2, constrain="rl-tuner:tonic,rl-tuner:key")
    assert (tune.key, tune.tokens[0], tune.sounding[0].name) == (Key.parse("D minor"), "D4", "D4")


def test_a_model_that_was_not_tuned_in_a_key(tuned: Bundle) -> None:
    for key in ("", None):
        assert Composer.from_bundle(tuned_in(tuned, key)).compose(bars=1).key == Key()
    for odd in ("H dur", 7, ["C"], {"a": 1}):
        with pytest.raises(BundleError, match="of its tuning"):
            Composer.from_bundle(tuned_in(tuned, odd))
    assert Composer.from_bundle(replace(tuned, provenance={"tuning": "much"})).key is None
