"""What a network is told beforehand: it hears it, it can do without, and its bundle remembers what can be told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from cantilena.errors import BundleError, UsageError
from cantilena.models import (
    Bars,
    Bundle,
    Network,
    NetworkOptions,
    NGram,
    NGramPart,
    NumpyNetwork,
    Sequences,
    condition_ids,
    likelihood,
    ngram_arrays,
    register_id,
    style_id,
    transpose_condition_ids,
)
from cantilena.models.conditions import CONDITIONS, METERS
from cantilena.music import Key, Meter
from cantilena.tokenizers import GridEncoding

OPTIONS = NetworkOptions(
    width=12, embedding=12, repeat_features=1, conditions=("key", "mode", "meter", "style"), styles=("Jig", "Reel")
)
WALTZ = Bars.from_meter(
    Meter(3, 4), melodies=3, ticks_per_step=6, key=Key.parse("A minor"), style=2, role="bass", register=4
)
TOKENS = np.random.default_rng(3).integers(0, 38, (3, 20))


def test_key_mode_meter_and_style_have_each_a_number_and_0_is_not_told() -> None:
    assert condition_ids().tolist() == [0, 0, 0, 0, 0, 0]
    assert condition_ids(Key.parse("C major"), Meter(4, 4), 7).tolist() == [1, 1, 1 + METERS.index("4/4"), 7, 0, 0]
    assert condition_ids(meter=Meter(5, 4)).tolist() == [0, 0, 0, 0, 0, 0]  # a rare meter is told by its bars alone
    assert len({tuple(condition_ids(Key(tonic, mode))) for tonic in range(12) for mode in ("major", "minor")}) == 24


def test_a_transposed_key_is_told_transposed_and_an_unknown_one_stays_unknown() -> None:
    some = np.array(
        [condition_ids(Key.parse("B major")), condition_ids(), condition_ids(Key.parse("C minor"), style=1)]
    )
    moved = transpose_condition_ids(some, np.array([1, 5, -1]))
    assert moved.tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [12, 2, 0, 1, 0, 0]]
    assert some[0, 0] == 12  # what was given is left alone


@pytest.mark.parametrize("kind", CONDITIONS)
def test_each_condition_is_heard_by_the_network_that_has_it_and_by_no_other(kind: str) -> None:
    styles = ("Jig", "Reel") if kind == "style" else ()
    network = Network(NetworkOptions(width=12, embedding=12, conditions=(kind,), styles=styles), 38, seed=1)
    plain = network.log_probs(TOKENS, bars=WALTZ.without_conditions())
    for other in CONDITIONS:
        known = np.where(np.array(CONDITIONS) == other, WALTZ.condition_ids, 0)
        given = network.log_probs(TOKENS, bars=Bars(WALTZ.steps_per_bar, WALTZ.pickup, known))
        assert bool((given - plain).abs().max() > 1e-4) == (other == kind)


def test_numpy_and_torch_and_step_by_step_agree_about_what_is_told() -> None:
    network = Network(OPTIONS, 38, seed=2)
    small = NumpyNetwork(OPTIONS, network.numpy_weights())
    whole = network.log_probs(TOKENS, bars=WALTZ).detach().numpy()
    np.testing.assert_allclose(small.log_probs(TOKENS, bars=WALTZ), whole, atol=1e-5)
    for model in (small, network):
        log_p, state = model.start(3, bars=WALTZ)
        steps = [log_p]
        for step in range(TOKENS.shape[1] - 1):
            log_p, state = model.step(TOKENS[:, step], state)
            steps.append(log_p)
        np.testing.assert_allclose(np.stack([np.asarray(one) for one in steps], axis=1), whole, atol=1e-5)


def test_a_style_that_the_network_does_not_know_is_refused() -> None:
    network = Network(OPTIONS, 38)
    for style in (3, -1):
        bars = Bars.from_meter(Meter(), melodies=1, ticks_per_step=6, style=style)
        with pytest.raises(UsageError, match="no style with the id"):
            network.log_probs(np.array([[1, 2]]), bars=bars)
        with pytest.raises(UsageError, match="no style with the id"):
            network.start(1, bars=bars)


def test_held_out_pieces_are_predicted_without_being_told_their_key() -> None:
    network, pieces = Network(OPTIONS, 38, seed=2), Sequences.from_tokens(TOKENS, WALTZ)
    untold = likelihood(network, pieces)
    assert untold.nats_per_step == likelihood(network, pieces.without_conditions()).nats_per_step
    assert untold.nats_per_step != likelihood(network, pieces, conditioned=True).nats_per_step


@pytest.mark.parametrize(
    ("conditions", "styles", "trouble"),
    [
        (("mood",), (), "no condition 'mood'"),
        (("mode", "key"), (), "out of order"),
        (("key", "key"), (), "out of order"),
        (("style",), (), "do not fit"),
        ((), ("Jig", "Reel"), "do not fit"),
        (("style",), ("Jig", "jig"), "2 styles"),
        (("style",), ("Jig", "a\nb"), "printable"),
        (("style",), ("Jig", ""), "empty"),
        (("style",), tuple(map(str, range(513))), "513 styles"),
    ],
)
def test_conditions_that_cannot_be_are_refused(
    conditions: tuple[str, ...], styles: tuple[str, ...], trouble: str
) -> None:
    with pytest.raises(UsageError, match=trouble):
        NetworkOptions(conditions=conditions, styles=styles)


def test_the_papers_input_is_told_nothing() -> None:
    with pytest.raises(UsageError, match="paper's input"):
        NetworkOptions(input="paper", conditions=("mode",))


def test_a_style_is_found_by_a_part_of_its_name_that_no_other_has() -> None:
    styles = ["Johann Sebastian Bach", "Joseph Haydn", "Haydn"]
    assert [style_id(name, styles) for name in ("bach", " Haydn ", "JOSEPH")] == [1, 3, 2]
    with pytest.raises(UsageError, match="is ambiguous") as several:
        style_id("jo", styles)
    assert several.value.hint == "choose one of Johann Sebastian Bach, Joseph Haydn"
    with pytest.raises(UsageError, match="knows no style 'Verdi'"):
        style_id("Verdi", styles)
    with pytest.raises(UsageError, match="knows no style"):
        style_id("Verdi", [])


def test_a_bundle_remembers_what_can_be_told(tmp_path: Path) -> None:
    network = Network(OPTIONS, 38, seed=2)
    bundle = Bundle(OPTIONS, network.numpy_weights(), GridEncoding().description())
    bundle.save(tmp_path / "told.safetensors")
    assert _format(tmp_path / "told.safetensors") == 5
    again = Bundle.load(tmp_path / "told.safetensors")
    assert again.options == OPTIONS
    np.testing.assert_allclose(
        again.model().log_probs(TOKENS, bars=WALTZ), network.log_probs(TOKENS, bars=WALTZ).detach(), atol=1e-5
    )


def test_a_network_without_conditions_is_written_as_earlier_versions_read_it(tmp_path: Path) -> None:
    for options, number in ((NetworkOptions(width=8, embedding=8), 1), (NetworkOptions(width=8, repeat_features=1), 3)):
        network = Network(options, 38)
        Bundle(options, network.numpy_weights(), GridEncoding().description()).save(tmp_path / f"{number}.safetensors")
        assert _format(tmp_path / f"{number}.safetensors") == number


def test_a_blend_with_conditions_keeps_both(tmp_path: Path) -> None:
    ngram = NGram.fit([TOKENS[0]], 38)
    part = NGramPart(ngram.options, ngram_arrays(ngram), 0.25)
    weights = Network(OPTIONS, 38).numpy_weights()
    Bundle(OPTIONS, weights, GridEncoding().description(), ngram=part).save(tmp_path / "both.safetensors")
    again = Bundle.load(tmp_path / "both.safetensors")
    assert again.ngram is not None
    assert (again.options, again.ngram.share, _format(tmp_path / "both.safetensors")) == (OPTIONS, 0.25, 5)


@pytest.mark.parametrize("styles", ["Jig", [1, 2], {"Jig": 1}, None, ["Jig", ["Reel"]]])
def test_a_bundle_with_damaged_styles_is_refused(tmp_path: Path, styles: object) -> None:
    path = tmp_path / "told.safetensors"
    Bundle(OPTIONS, Network(OPTIONS, 38).numpy_weights(), GridEncoding().description()).save(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["cantilena"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    record["options"]["styles"] = styles
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"cantilena": json.dumps(record)}))
    with pytest.raises(BundleError, match="styles"):
        Bundle.load(path)


def _format(path: Path) -> int:
    with safetensors.safe_open(path, framework="numpy") as file:
        return int(json.loads(file.metadata()["cantilena"])["format"])


def test_a_mode_that_was_not_learned_is_unknown() -> None:
    assert condition_ids(Key.parse("D dorian"), Meter(3, 4)).tolist() == [3, 3, 4, 0, 0, 0]
    scores = {}
    for modes in (("major", "minor"), ("major", "minor", "mixolydian", "dorian")):
        network = Network(NetworkOptions(width=12, embedding=12, conditions=("mode",), modes=modes), 38, seed=1)
        for mode in ("", "major", "dorian", "mixolydian", "phrygian"):
            key = Key(2, mode) if mode else None
            bars = Bars.from_meter(Meter(3, 4), melodies=3, ticks_per_step=6, key=key)
            scores[len(modes), mode] = network.log_probs(TOKENS, bars=bars).tolist()
    assert scores[2, ""] == scores[2, "dorian"] == scores[2, "phrygian"] != scores[2, "major"]
    assert scores[4, ""] == scores[4, "phrygian"]
    assert scores[4, "dorian"] not in (scores[4, ""], scores[4, "major"], scores[4, "mixolydian"])


def test_a_register_moves_with_the_piece() -> None:
    some = np.array([condition_ids(register=register_id(60.0)), condition_ids(register=register_id(116.0))])
    assert transpose_condition_ids(some, np.array([-5, 12]))[:, 5].tolist() == [6, 20]
