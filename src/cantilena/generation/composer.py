"""The composer: a bundle that writes melodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.infilling import rewritings
from cantilena.generation.latent import interpolations, variations
from cantilena.generation.options import BarRange, ComposeOptions, SamplingOptions
from cantilena.generation.placement import Commission, Placement, place, tuned_in
from cantilena.generation.primer import read_primer
from cantilena.generation.sampling import Samples, draw, log_likelihood, sample
from cantilena.generation.streaming import Listener, Sketch, sketches
from cantilena.generation.style import Style, styles_of
from cantilena.models import Bundle, Precision, SequenceModel, find_bundle, style_number
from cantilena.music import Key, Melody, Meter
from cantilena.rules import RuleSet, load_rules
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding


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
        >>> tune = composer.compose(bars=4, primer="C4 E4 G4", key="A minor", seed=1)
        >>> tune.notes[0].name, tune.key.name
        ('C4', 'A minor')
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
        commission = self._commission(melodies, options, sampling, seed, idea, rules)
        return self._finished(commission, sample(self.model, **commission.asked()))

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
        commission = self._commission(melodies, options, sampling, seed, idea, rules)
        before = commission.placement.primer if commission.placement.with_primer else commission.placement.primer[:0]
        listeners = [Listener(self.encoding, commission.placement.semitones, before) for _ in commission.uniforms]
        drawing, steps = draw(self.model, **commission.asked()), commission.uniforms.shape[1]
        return sketches(drawing, listeners, every, steps, lambda drawn: self._finished(commission, drawn))

    def rewrite(
        self,
        melody: Melody,
        first: int,
        last: int,
        *,
        melodies: int = 1,
        sampling: SamplingOptions | None = None,
        seed: int = 1,
        range: str = "",  # noqa: A002  (the flag's name; the builtin is not needed here)
        constrain: str | RuleSet = "",
        style: str = "",
    ) -> list[Composition]:
        """Write some bars of a melody anew, so that they fit what comes before and after (`rewriting.py`).

        Notes that begin in other bars stay as they are. One that is held into these bars sounds to its end, and new
        music begins after it; where one of these bars' notes was held beyond them, what now sounds last is held as
        long. A model whose notes have no time keeps the rhythm, and gives it other notes.

        Args:
            melody: what is to be rewritten, in any key and meter.
            first: the first bar, counted from 1; a pickup is bar 0.
            last: the last bar, itself included.
            melodies: how many, 1..10000; melody k is the same however many are asked for.
            sampling: how tokens are drawn; greedy takes the most probable of 64 candidates.
            seed: the same seed gives the same melodies.
            range: of the new notes, such as `C4-A5`.
            constrain: rules that no new note may break while another keeps them.
            style: one of `styles`, by its name or a part of it.

        Raises:
            UsageError: bars that the melody has not, or where no new note can begin.

        Example:
            >>> composer = load("tunes")
            >>> tune = composer.compose(bars=8, seed=1)
            >>> other = composer.rewrite(tune, 5, 8, seed=2)[0]
            >>> other.until(4 * 96).notes == tune.until(4 * 96).notes, other == tune
            (True, False)
        """
        return list(
            rewritings(
                self,
                melody,
                first,
                last,
                melodies=melodies,
                sampling=sampling,
                seed=seed,
                range=range,
                constrain=constrain,
                style=style,
            )
        )

    def interpolate(self, first: Melody, last: Melody, steps: int = 5, **asked: Any) -> list[Composition]:  # noqa: ANN401
        """From one melody to another in steps, where the model is a VAE.

        Args:
            first: where the way begins.
            last: where it ends.
            steps: melodies, both ends among them.
            asked: `key`, `range`, `constrain`, as `interpolations` has them.
        """
        return interpolations(self, first, last, steps=steps, **asked)

    def vary(self, melody: Melody, amount: float = 0.3, **asked: Any) -> list[Composition]:  # noqa: ANN401
        """A melody varied, where the model is a VAE.

        Args:
            melody: what is varied.
            amount: 0 for the melody itself to 1 for a free draw.
            asked: `melodies`, `sampling`, `seed`, `range`, `constrain`, as `variations` has them.
        """
        return variations(self, melody, amount=amount, **asked)

    def placed(self, options: ComposeOptions, idea: Melody | None) -> tuple[Placement, int]:
        """Where new music lies after an idea: key, meter, tokens; and the number of its style.

        Args:
            options: length, key, meter, range, style; the primer is the idea.
            idea: what is gone on from.

        Raises:
            UsageError: a style that the model does not know, or a key or a range that is none.
        """
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
        return placement, style

    def _commission(
        self,
        melodies: int,
        options: ComposeOptions | None,
        sampling: SamplingOptions | None,
        seed: int,
        idea: Melody | None,
        rules: RuleSet | None,
    ) -> Commission:
        """Decide all that is fixed before the first token is drawn."""
        if not 1 <= melodies <= 10_000:
            raise UsageError(f"{melodies} melodies", "give a number from 1 to 10000")
        options = options or ComposeOptions()
        if isinstance(options.bars, BarRange):
            raise UsageError(f"bars {options.bars} of no piece", "give the piece with --of FILE, or a number of bars")
        if idea is None and options.primer.strip():
            idea = read_primer(options.primer, Key.parse(options.key) if options.key else None)
        if rules is None and options.constrain.strip():
            rules = load_rules(options.constrain)
        placement, style = self.placed(options, idea)
        steps = placement.steps(options)
        return Commission(
            placement,
            style,
            np.stack([generator(seed, "compose", number).random(steps) for number in _numbers(melodies)]),
            sampling,
            placement.bars(self.encoding, melodies, style),
            self._constraints(rules, placement, len(placement.primer) + steps) if rules is not None else None,
        )

    def _finished(self, commission: Commission, samples: Samples) -> list[Composition]:
        prior = log_likelihood(self.prior, samples.tokens, primer=commission.placement.primer, bars=commission.bars)
        broken = [None] * len(prior) if samples.broken is None else samples.broken.tolist()
        return [
            replace(
                self._composition(samples.tokens[number], commission.placement, number),
                log_likelihood=float(prior[number]),
                policy_log_likelihood=float(samples.log_likelihood[number]),
                rules_broken=broken[number],
            )
            for number in _numbers(len(prior))
        ]

    def _constraints(self, rules: RuleSet, placement: Placement, steps: int) -> Constraints:
        return Constraints(rules.rules, self.encoding, placement.context(), steps)

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
