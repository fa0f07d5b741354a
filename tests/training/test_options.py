"""Training options: ranges, presets, and the keys of records."""

import pytest

from cantilena.errors import UsageError
from cantilena.runtime import options_record
from cantilena.training import TrainingOptions, VaeTrainingOptions, preset


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch": 0}, {"learning_rate": float("nan")}, {"schedule": "x"}, {"precision": "int8"},
     {"transpose": 99}, {"ema_decay": 1.0}, {"seed": -1}],
)  # fmt: skip
def test_invalid_options_are_refused_with_a_hint(wrong):
    with pytest.raises(UsageError) as caught:
        TrainingOptions(**wrong)
    assert str(next(iter(wrong.values()))) in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"free_bits": -1.0}, "free bits"), ({"kl_warmup": 2.0}, "KL warm-up"), ({"word_dropout": float("nan")}, "word")],
)
def test_invalid_options_of_a_vae_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        VaeTrainingOptions(**wrong)


def test_records_keep_the_keys_of_earlier_runs():
    record = options_record(TrainingOptions(ema_decay=0.9, condition_dropout=0.1))
    assert (record["averaging"], record["forget"]) == (0.9, 0.1)
    assert not {"ema_decay", "condition_dropout"} & set(record)


def test_presets():
    network, options = preset("paper")
    assert (network.layers, network.width, network.dropout) == (3, 1024, 0.4)
    assert (options.batch, options.epochs) == (16, 200)
    assert preset("quick")[0].width == 128
    with pytest.raises(UsageError, match="huge"):
        preset("huge")
