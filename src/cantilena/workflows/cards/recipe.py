"""How a model was made, in words and as the commands that make it again, from what its bundle recorded."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Literal

from cantilena.models import Bundle, NetworkOptions, NGramOptions, VaeOptions
from cantilena.music import Pitch
from cantilena.rl import TuningOptions
from cantilena.runtime import options_record
from cantilena.tokenizers import GridEncoding
from cantilena.training import preset
from cantilena.workflows.cards.sources import plain, sources_of
from cantilena.workflows.train.options import TrainOptions
from cantilena.workflows.train.vae import vae_shape

Options = Mapping[str, Any]

_TRAINED_FLAGS = tuple(TrainOptions.__dataclass_fields__)
_FACTS = ("rules_used", "kept_update", "epochs_done", "best_epoch", "device")
"""What records hold beside options: what came of them, and where they computed."""


def made_in_words(bundle: Bundle) -> list[str]:
    """How a model was trained and tuned: a sentence each, with the options that matter.

    Args:
        bundle: any bundle; what it does not tell is not told.
    """
    trained, tuned, imported = (_record(bundle, name) for name in ("training", "tuning", "imported"))
    words = []
    if imported:
        words.append(f"Imported from {plain(imported.get('from')) or 'elsewhere'}: {plain(imported.get('file'))}.")
    if trained:
        taught = "maximum likelihood on every step of whole pieces"
        if isinstance(bundle.options, VaeOptions):
            taught = (
                f"a bound on the likelihood of windows of {bundle.options.bars} bars, with "
                f"{_value(trained, 'free_bits')} free bits (nats) a number of the code"
            )
        words.append(
            f"Trained by {taught}: {_value(trained, 'epochs_done')} epochs of "
            f"at most {_value(trained, 'epochs')} (the best was {_value(trained, 'best_epoch')}), batches of "
            f"{_value(trained, 'batch')}{_in_each(trained)}, AdamW up to a learning rate of "
            f"{_value(trained, 'learning_rate')} ({_value(trained, 'schedule')}), seed {_value(trained, 'seed')}."
        )
    if isinstance(bundle.options, NGramOptions) or bundle.ngram is not None:
        options = bundle.options if isinstance(bundle.options, NGramOptions) else bundle.ngram.options  # type: ignore[union-attr]
        share = f", {bundle.ngram.share:.0%} of the mixture" if bundle.ngram is not None else ""
        words.append(f"Counted: n-grams of up to {options.order} tokens, and a memory of the piece itself{share}.")
    stored = _record(bundle, "stored")
    if stored:
        costs = stored.get("costs_nats_per_step")
        told = costs if isinstance(costs, Mapping) else {}
        said = ", ".join(f"{plain(part, 20)} {cost:+.5f}" for part, cost in told.items() if isinstance(cost, float))
        words.append(
            "Its large matrices are stored as whole numbers of 8 bits with a scale a row; this adds to the nats a step "
            f"of held-out pieces: {said or 'not measured'}."
        )
    if tuned:
        weights = ", ".join(plain(weight) for weight in tuned.get("weights") or [] if isinstance(weight, str))
        words.append(
            f"Tuned by reinforcement learning (`{_value(tuned, 'algorithm')}`) on {_rewarded_by(tuned)}"
            f"{f', with the weights {weights}' if weights else ''}: {_value(tuned, 'updates')} updates of "
            f"{_value(tuned, 'melodies')} melodies of {_value(tuned, 'steps')} steps, c = {_value(tuned, 'c')}, KL "
            f"divergence held at {_value(tuned, 'target_kl')} nats a step, seed {_value(tuned, 'seed')}. The weights "
            f"after update {_value(tuned, 'kept_update')} were kept."
        )
    return words


def _rewarded_by(tuned: Options) -> str:
    """The rules that rewarded, and the critic."""
    rules, critic = f"the rules `{_value(tuned, 'rules')}`", tuned.get("critic")
    if not isinstance(critic, Mapping) or critic.get("critic") is not True:
        return rules
    heard = (
        f"a critic of weight {_value(critic, 'critic_weight')} ({_value(critic, 'critic_members')} discriminators that "
        "learned, meanwhile, to tell its melodies from people's)"
    )
    return heard if tuned.get("rules") == "none" else f"{rules} and {heard}"


def made_again(bundle: Bundle, name: str) -> list[str]:
    """The commands that make a model again, as far as its bundle tells.

    Args:
        bundle: any bundle.
        name: of the model, which names the folders of the runs.

    Example:
        >>> from cantilena.models import find_bundle
        >>> print(*made_again(Bundle.load(find_bundle("tunes")), "tunes"))
        cantilena train --corpus tunes --styles collection --no-blend --dropout 0.1 --budget 6000000 --seed 1
        --out runs/tunes
    """
    tuned, name = _record(bundle, "tuning"), plain(name, 80)
    trained_in = f"runs/{name}" if not tuned else f"runs/{name}-before"
    words = _training_words(bundle)
    if not words:
        return []
    together = _processes(_record(bundle, "training"))
    program = f"torchrun --nproc-per-node {together} -m cantilena" if together > 1 else "cantilena"
    lines = [f"{program} train {words} --out {shlex.quote(trained_in)}"]
    if tuned:
        flags = _flags(_flat(tuned), _flat(options_record(TuningOptions())), skip=(*_FACTS, "seed"))
        seed = _flag("seed", tuned.get("seed", 1))
        lines.append(f"cantilena tune {shlex.quote(trained_in)} {flags}{seed}--out {shlex.quote(f'runs/{name}')}")
    return lines


def _processes(trained: Options) -> int:
    """How many processes trained a network together."""
    count = trained.get("processes")
    return count if isinstance(count, int) and not isinstance(count, bool) and 1 < count <= 65_536 else 1


def _in_each(trained: Options) -> str:
    count = _processes(trained)
    return f" in each of {count:,} processes" if count > 1 else ""


def _training_words(bundle: Bundle) -> str:
    """The flags of `cantilena train`; nothing where the bundle does not tell how it was trained."""
    sources, record = sources_of(bundle), _record(bundle, "training")
    counted = isinstance(bundle.options, NGramOptions)
    if not sources or not (record or counted):
        return ""
    words = f"--corpus {shlex.quote(sources[0].name if len(sources) == 1 else 'all-of-them.arrow')} "
    encoding, plain_keys = bundle.encoding, bool(bundle.provenance.get("plain_keys"))
    if isinstance(encoding, GridEncoding):
        if (encoding.low, encoding.high) != (GridEncoding.low, GridEncoding.high):
            words += f"--range {Pitch(encoding.low).name}-{Pitch(encoding.high).name} "
        words += "" if plain_keys else "--keys all "
    else:
        words += f"--encoding {encoding.name} "
    if isinstance(bundle.options, NGramOptions):
        return f"{words}--model ngram --order {bundle.options.order}"
    if isinstance(bundle.options, VaeOptions):
        return f"{words}--model vae {_vae_words(bundle.options, record)}"
    made = options_record(bundle.options) | dict(record)
    presets = {name: _preset(name) for name in ("quick", "paper")}
    nearest = min(presets, key=lambda name: _distance(made, presets[name]))
    expected = presets[nearest]
    words += "--preset paper " if nearest == "paper" else ""
    if isinstance(encoding, GridEncoding) and not plain_keys:
        expected = {**expected, "transpose": 6}
    if not encoding.tells_time:
        expected = {**expected, "bar_position": False, "look_back": ()}
    expected["dropout"] = None  # the preset's hangs on the corpus, so it is always said
    words += _told_words(bundle, bundle.options, plain_keys=plain_keys)
    words += f"--blend --order {bundle.ngram.options.order} " if bundle.ngram is not None else "--no-blend "
    known = {key: value for key, value in made.items() if key in _TRAINED_FLAGS and key not in ("conditions", "styles")}
    return words + _flags(known, expected, skip=(*_FACTS, "seed")) + _flag("seed", record.get("seed", 1)).strip()


def _vae_words(options: VaeOptions, record: Options) -> str:
    """The flags of a VAE that differ from what `cantilena train --model vae` takes by itself."""
    shape, training, learning = vae_shape(TrainOptions("any", model="vae"))
    usual = options_record(shape) | options_record(training) | options_record(learning)
    made = options_record(options) | dict(record)
    words = "" if options.bars == shape.bars else _flag("code_bars", options.bars)
    known = {name: value for name, value in made.items() if name in _TRAINED_FLAGS}
    return words + _flags(known, usual, skip=(*_FACTS, "seed")) + _flag("seed", record.get("seed", 1)).strip()


def _told_words(bundle: Bundle, options: NetworkOptions, *, plain_keys: bool) -> str:
    """The flags of what the network is told beforehand, where that is not what training tells by itself."""
    keys: Literal["plain", "all"] = "plain" if plain_keys else "all"
    grid = isinstance(bundle.encoding, GridEncoding)
    asked = TrainOptions("any", keys=keys) if grid else TrainOptions("any", encoding="events")
    known = tuple(kind for kind in options.conditions if kind != "style")
    words = "" if known == asked.known or options.input == "paper" else f"--conditions {','.join(known) or 'none'} "
    styles = f"--styles {_word(bundle.provenance.get('styles_by', 'collection'))} " if options.styles else ""
    return styles + words


def _preset(name: str) -> dict[str, Any]:
    network, training = preset(name)
    return options_record(network) | options_record(training)


def _distance(made: Options, known: Options) -> int:
    return sum(made.get(name) != value for name, value in known.items())


def _flags(made: Options, expected: Options, *, skip: tuple[str, ...]) -> str:
    """The flags of what differs from what is expected."""
    return "".join(
        _flag(name, value)
        for name, value in made.items()
        if name not in skip and name in expected and value != expected[name] and value is not None
    )


def _flag(name: str, value: object) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag} " if value else f"--no-{flag} "
    several = value if isinstance(value, list | tuple) else [value]
    return f"--{flag} {' '.join(_word(one) for one in several)} "


def _word(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else plain(str(value))
    return shlex.quote(text)


def _flat(record: Options) -> dict[str, Any]:
    """Nested options beside the others, as the flags are."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= dict(value) if isinstance(value, Mapping) else {name: value}
    return flat


def _record(bundle: Bundle, name: str) -> Mapping[str, Any]:
    found = bundle.provenance.get(name)
    return found if isinstance(found, Mapping) else {}


def _value(record: Options, name: str) -> str:
    """A value as it is read; strangers' files may hold anything."""
    value = record.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else f"{value:,}"
    return plain(value, 80) or "?"


def network_in_words(bundle: Bundle) -> str:
    """What a model is: its network or n-gram, and what its tokens say.

    Example:
        >>> from cantilena.models import find_bundle
        >>> network_in_words(Bundle.load(find_bundle("tunes")))
        'an LSTM, 1 layer of 128 cells, with 2 echoes'
    """
    options = bundle.options
    if isinstance(options, NGramOptions):
        return f"an n-gram of order {options.order} that also copies from the piece so far"
    if isinstance(options, VaeOptions):
        return f"a VAE, {options.latent} numbers for {options.bars} bars, LSTMs of {options.width} cells"
    memory = _memory(options)
    core = {"lstm": "an LSTM", "gru": "a GRU", "rnn": "a plain RNN"}.get(options.core, f"a network ({options.core})")
    shape = f"{core}, {options.layers} layer{'s' if options.layers > 1 else ''} of {options.width} cells"
    blend = f", mixed with an n-gram of order {bundle.ngram.options.order}" if bundle.ngram is not None else ""
    return shape + memory + blend


def _memory(options: NetworkOptions) -> str:
    parts = [
        *([f"{options.echoes} echoes"] if options.echoes else []),
        *(["attention"] if options.attention else []),
        *(["a copy head"] if options.copy_head else []),
    ]
    return f", with {' and '.join(parts)}" if parts else ""
