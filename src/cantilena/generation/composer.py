"""The composer: a bundle that writes melodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.encoding import Encoding
from cantilena.errors import UsageError
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.options import ComposeOptions, SamplingOptions
from cantilena.generation.placement import Placement, place, tuned_in
from cantilena.generation.primer import read_primer
from cantilena.generation.sampling import Samples, draw, sample
from cantilena.generation.sketches import Listener, Sketch
from cantilena.generation.style import Style, styles_of
from cantilena.model import (
    Bars,
    Bundle,
    Precision,
    SequenceModel,
    find_bundle,
    log_probs_in_bars,
    numpy_of,
    style_number,
)
from cantilena.music import Key, Melody, Meter
from cantilena.runs import generator
from cantilena.theory import Context, RuleSet, load_rules


@dataclass(frozen=True)
class Composer:
    """What composes: a model, its encoding, and the untuned model beside it.

    Args:
        model: the policy that is drawn from.
        prior: the model before tuning; the same where it was not tuned.
        encoding: what the tokens mean.
        plain_keys: whether the model thinks in C major and A minor only, so that other keys are transposed to.
        name: what it is called.
        key: the key that it was tuned in, None where it was not: what it composes in unless told otherwise.
        meter: the same of the time signature.
        styles: those that it can be told to compose in.

    Example:
        >>> composer = load("tunes")
        >>> tune = composer.compose(bars=4, primer="C4 E4 G4", key="D major", seed=1)
        >>> tune.notes[0].name, tune.key.name
        ('D4', 'D major')
    """

    model: SequenceModel
    prior: SequenceModel
    encoding: Encoding
    plain_keys: bool = True
    name: str = ""
    key: Key | None = None
    meter: Meter | None = None
    styles: tuple[Style, ...] = ()

    @classmethod
    def of(cls, bundle: Bundle, name: str = "", precision: Precision = "float32") -> Composer:
        """The composer that a bundle holds.

        Args:
            bundle: holds the model.
            name: what it is called.
            precision: as for `Bundle.model`.

        Raises:
            BundleError: it says that it was tuned in a key or meter that is none.
        """
        plain = bool(bundle.provenance.get("plain_keys", True))
        key, meter = tuned_in(bundle.provenance)
        model = bundle.model(precision)
        return cls(model, bundle.prior(), bundle.encoding, plain, name, key, meter, styles_of(bundle))

    def compose(
        self,
        *,
        seconds: float | None = None,
        bars: int | None = None,
        events: int | None = None,
        style: str = "",
        primer: str | Melody = "",
        with_primer: bool = True,
        key: str | Key = "",
        range: str = "",  # noqa: A002  (the flag's name; the builtin is not needed here)
        constrain: str | RuleSet = "",
        meter: str = "",
        tempo: float | None = None,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        greedy: bool = False,
        seed: int = 1,
    ) -> Composition:
        """Compose one melody.

        Args:
            seconds: length of the new music; 30 where no length is given.
            bars: length of the new music in bars.
            events: length of the new music in tokens.
            style: one of `styles`, by its name or a part of it.
            primer: what to continue: typed notes, a path, or a melody.
            with_primer: whether the result begins with the primer.
            key: such as `D minor`; the primer's or the model's own where none is given.
            range: such as `C4-A5`.
            constrain: rules that no note may break while another keeps them, by name such as `rl-tuner:key`, or a set.
            meter: such as `3/4`.
            tempo: quarter notes a minute.
            temperature: above 1 more surprising, below 1 more cautious.
            top_k: draw among the k most probable tokens; 0 means all.
            top_p: draw among the most probable tokens that hold this share.
            greedy: always the most probable token.
            seed: the same seed gives the same melody.

        Raises:
            UsageError: an argument that makes no sense.
            InputError: a primer's file that cannot be read.
        """
        text = primer if isinstance(primer, str) else ""
        named, rules = (constrain, None) if isinstance(constrain, str) else ("", constrain)
        asked = ComposeOptions(
            seconds=seconds,
            bars=bars,
            events=events,
            style=style,
            primer=text,
            with_primer=with_primer,
            key=key if isinstance(key, str) else key.name,
            range=range,
            constrain=named,
            meter=meter,
            tempo=tempo,
        )
        sampling = SamplingOptions(temperature, top_k, top_p, greedy)
        idea = primer if isinstance(primer, Melody) else None
        return self.compose_many(1, asked, sampling, seed=seed, idea=idea, rules=rules)[0]

    def compose_many(
        self,
        melodies: int,
        options: ComposeOptions | None = None,
        sampling: SamplingOptions | None = None,
        *,
        seed: int = 1,
        idea: Melody | None = None,
        rules: RuleSet | None = None,
    ) -> list[Composition]:
        """Compose several melodies from the same idea; melody k is the same however many are asked for.

        Args:
            melodies: how many, 1..10000.
            options: length, primer, key, range, rules.
            sampling: how tokens are drawn.
            seed: the same seed gives the same melodies.
            idea: a primer as a melody, in place of `options.primer`.
            rules: what constrains them, in place of `options.constrain`.
        """
        task = self._task(melodies, options, sampling, seed, idea, rules)
        return self._finished(task, sample(self.model, **task.asked()))

    def stream(
        self,
        melodies: int,
        options: ComposeOptions | None = None,
        sampling: SamplingOptions | None = None,
        *,
        seed: int = 1,
        idea: Melody | None = None,
        rules: RuleSet | None = None,
        every: int = 4,
    ) -> Iterator[Sketch]:
        """Compose as `compose_many` does, and tell the notes while they are drawn.

        Args:
            melodies: as for `compose_many`, and so are the other arguments.
            options: length, primer, key, range, rules.
            sampling: how tokens are drawn.
            seed: the same seed gives the same melodies.
            idea: a primer as a melody, in place of `options.primer`.
            rules: what constrains them, in place of `options.constrain`.
            every: how many steps are drawn between one sketch and the next.

        Yields:
            The notes that are complete, each once; the last sketch brings the finished melodies, those of
            `compose_many` to the last bit. What cannot be is refused at the call, before the first sketch.

        Example:
            >>> composer = load("tunes")
            >>> sketches = list(composer.stream(2, ComposeOptions(bars=2), seed=3))
            >>> sketches[-1].compositions == tuple(composer.compose_many(2, ComposeOptions(bars=2), seed=3))
            True
        """
        if every < 1:
            raise UsageError(f"a sketch every {every} steps", "give 1 or more")
        task = self._task(melodies, options, sampling, seed, idea, rules)
        return self._sketches(task, draw(self.model, **task.asked()), every)

    def _sketches(self, task: _Task, drawing: Iterator[Samples], every: int) -> Iterator[Sketch]:
        placement = task.placement
        before = placement.primer if placement.with_primer else placement.primer[:0]
        listeners = [Listener(self.encoding, placement.semitones) for _ in task.uniforms]
        for step, samples in enumerate(drawing, start=1):
            if step % every == 0 and step < task.uniforms.shape[1]:
                heard = [np.concatenate([before, row]) for row in samples.tokens]
                notes = tuple(one.complete(tokens) for one, tokens in zip(listeners, heard, strict=True))
                yield Sketch(len(heard[0]) * self.encoding.step_ticks, notes)
        made = self._finished(task, samples)
        left = tuple(one.rest_of(melody) for one, melody in zip(listeners, made, strict=True))
        yield Sketch(made[0].length, left, tuple(made))

    def _task(
        self,
        melodies: int,
        options: ComposeOptions | None,
        sampling: SamplingOptions | None,
        seed: int,
        idea: Melody | None,
        rules: RuleSet | None,
    ) -> _Task:
        """Decide all that is fixed before the first token is drawn."""
        if not 1 <= melodies <= 10_000:
            raise UsageError(f"{melodies} melodies", "give a number from 1 to 10000")
        options = options or ComposeOptions()
        if idea is None and options.primer.strip():
            idea = read_primer(options.primer)
        if rules is None and options.constrain.strip():
            rules = load_rules(options.constrain)
        style = style_number(options.style, [style.name for style in self.styles])
        placement = place(
            self.encoding,
            options,
            idea,
            plain_keys=self.plain_keys,
            tuned_key=self.key,
            tuned_meter=self.meter,
            style=self.styles[style - 1] if style else None,
        )
        steps = placement.steps(options)
        return _Task(
            placement,
            style,
            np.stack([generator(seed, "compose", number).random(steps) for number in _numbers(melodies)]),
            sampling,
            self._bars(placement, melodies, style),
            self._constraints(rules, placement, steps) if rules is not None else None,
        )

    def _finished(self, task: _Task, samples: Samples) -> list[Composition]:
        prior = self._log_likelihood(self.prior, task.placement, samples.tokens, task.style)
        broken = [None] * len(prior) if samples.broken is None else samples.broken.tolist()
        return [
            replace(
                self._composition(samples.tokens[number], task.placement, number),
                log_likelihood=float(prior[number]),
                policy_log_likelihood=float(samples.log_likelihood[number]),
                rules_broken=broken[number],
            )
            for number in _numbers(len(prior))
        ]

    def _bars(self, placement: Placement, melodies: int, style: int) -> Bars:
        """Where the steps lie, and all that a network can be told of what is to come."""
        meter = placement.meter if self.encoding.tells_time else Meter()
        return Bars.of(
            meter,
            melodies=melodies,
            step_ticks=self.encoding.step_ticks,
            pickup=placement.pickup if self.encoding.tells_time else 0,
            key=placement.home,
            style=style,
        )

    def _constraints(self, rules: RuleSet, placement: Placement, steps: int) -> Constraints:
        steps_per_bar = max(placement.meter.ticks_per_bar // self.encoding.step_ticks, 1)
        context = Context(placement.home, placement.meter, steps_per_bar)
        return Constraints(rules.rules, self.encoding, context, len(placement.primer) + steps)

    def _log_likelihood(
        self, model: SequenceModel, placement: Placement, tokens: NDArray[np.int64], style: int
    ) -> NDArray[np.float64]:
        """Nats of each row of new tokens after the primer: `(melodies,)`."""
        before = np.tile(placement.primer, (len(tokens), 1))
        whole = np.concatenate([before, tokens], axis=1)
        log_probs = numpy_of(log_probs_in_bars(model, whole, self._bars(placement, len(tokens), style)))
        chosen = np.take_along_axis(log_probs, whole[..., None], axis=-1)[..., 0]
        return np.asarray(chosen[:, len(placement.primer) :].sum(axis=1), dtype=np.float64)

    def _composition(self, row: NDArray[np.int64], placement: Placement, number: int) -> Composition:
        names = self.encoding.vocabulary
        tokens = np.concatenate([placement.primer, row]) if placement.with_primer else row
        melody = self.encoding.decode(tokens, key=placement.home, meter=placement.meter)
        moved = melody.transposed(placement.semitones)
        return Composition(
            notes=moved.notes,
            key=placement.key,
            meter=placement.meter,
            tempo=placement.tempo,
            pickup=placement.pickup if placement.with_primer else 0,
            length=moved.length,
            title=f"{self.name or 'Composition'} {number + 1}",
            source="composed by Cantilena",
            tokens=tuple(names[token] for token in row),
        )


@dataclass(frozen=True)
class _Task:
    """What was asked for, ready to be drawn."""

    placement: Placement
    style: int
    uniforms: NDArray[np.float64]
    sampling: SamplingOptions | None
    bars: Bars
    constraints: Constraints | None

    def asked(self) -> dict[str, Any]:
        """The arguments of `sample` and `draw`."""
        return {
            "uniforms": self.uniforms,
            "options": self.sampling,
            "primer": self.placement.primer,
            "allowed": self.placement.allowed,
            "bars": self.bars,
            "constraints": self.constraints,
        }


def load(name_or_path: str | Path, precision: Precision = "float32") -> Composer:
    """The composer in a bundle, by path or by the name of one that ships with the package.

    Args:
        name_or_path: which.
        precision: what a network of more than 5 million weights multiplies in: `auto` is bfloat16 where the processor
            gains by it, which then draws other melodies from the same seed; smaller ones are float32.

    Raises:
        BundleError: there is none, or it cannot be read.

    Example:
        >>> load("tunes").encoding.name
        'grid'
    """
    return Composer.of(Bundle.load(find_bundle(name_or_path)), Path(str(name_or_path)).stem, precision)


def _numbers(melodies: int) -> Sequence[int]:
    return range(melodies)
