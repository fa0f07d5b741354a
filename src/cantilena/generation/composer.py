"""The composer: composes, rewrites, interpolates and varies melodies with the model of a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.errors import UsageError
from cantilena.generation.chords import ChordPlan, changed_returns, told_chords, vary_over, with_chord_defaults
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.form import FormPlan
from cantilena.generation.infilling import iter_rewrites
from cantilena.generation.latent import interpolate, vary
from cantilena.generation.locks import Lock
from cantilena.generation.options import BarRange, ComposeOptions, check_count
from cantilena.generation.placement import Placement, place
from cantilena.generation.primer import primer_of
from cantilena.generation.sampling import Drawing, Samples, draw, log_likelihood, sample
from cantilena.generation.search import Search
from cantilena.generation.section_rewrites import iter_section_rewrites
from cantilena.generation.streaming import NoteStream, StreamChunk, stream_chunks
from cantilena.generation.style import Style, styles_of, tuned_key_and_meter
from cantilena.models import Bundle, FormModel, Precision, SequenceModel, find_bundle, style_id
from cantilena.music import DEFAULT_BARS, ChordTrack, Form, Key, Melody, Meter
from cantilena.runtime import generator, progress
from cantilena.tokenizers import Encoding, NotesEncoding

_CANDIDATES_AT_ONCE = 512
"""Candidates that are drawn together: bounds the memory of a search."""


@dataclass(frozen=True)
class Composer:
    """A model that composes, its encoding, and the untuned model.

    Each method takes `ComposeOptions` or its fields as keywords: `composer.compose(bars=8, temperature=1.2, seed=2)`.

    Args:
        model: the policy that is sampled.
        prior: the model before tuning; the same if it was not tuned.
        encoding: of the tokens.
        normalized_key: whether the model knows C major and A minor only, so that results are transposed.
        name: of the model.
        key: the default key, in which the model was tuned.
        meter: the same of the time signature.
        styles: in which the model can compose.
        forms: that the model has learned; None if it is not told any.
        modes: that the model tells apart.
        has_roles: whether the model is told the role and the register of a melody.
        has_harmony: whether it has learned to follow chords.

    Examples:
        >>> composer = load("tunes")
        >>> tune = composer.compose(bars=4, primer="C4 E4 G4", key="A minor", seed=1)
        >>> tune.notes[0].name, tune.key.name
        ('C4', 'A minor')
    """

    model: SequenceModel
    prior: SequenceModel
    encoding: Encoding
    normalized_key: bool = True
    name: str = ""
    key: Key | None = None
    meter: Meter | None = None
    styles: tuple[Style, ...] = ()
    forms: FormModel | None = None
    modes: tuple[str, ...] = ()
    has_roles: bool = False
    has_harmony: bool = False

    @classmethod
    def from_bundle(cls, bundle: Bundle, name: str = "", precision: Precision = "float32") -> Composer:
        """The composer of a bundle; `load` has the other arguments.

        Raises:
            BundleError: the provenance names an invalid key or meter.
        """
        normalized = bool(bundle.provenance.get("plain_keys", True))
        key, meter = tuned_key_and_meter(bundle.provenance)
        model = bundle.model(precision)
        has_forms = getattr(bundle.options, "plan", False) and "forms" in bundle.provenance
        forms = FormModel.from_json(bundle.provenance["forms"]) if has_forms else None
        conditions = getattr(bundle.options, "conditions", ())
        return cls(
            model=model,
            prior=bundle.prior(),
            encoding=bundle.encoding,
            normalized_key=normalized,
            name=name,
            key=key,
            meter=meter,
            styles=styles_of(bundle),
            forms=forms,
            modes=getattr(bundle.options, "modes", ()) if "mode" in conditions else (),
            has_roles="role" in conditions,
            has_harmony=getattr(bundle.options, "harmony", False),
        )

    def compose(self, options: ComposeOptions | None = None, *, seed: int = 1, **changes: Any) -> Composition:  # noqa: ANN401
        """Compose one melody.

        Args:
            options: length, primer, key and so on; the defaults of `ComposeOptions` if None.
            seed: the same seed gives the same melody.
            changes: fields of `ComposeOptions` or `SamplingOptions`.

        Raises:
            UsageError: an option is unknown or invalid.
            InputError: the file of the primer cannot be read.
        """
        return self.compose_many(1, options, seed=seed, **changes)[0]

    def compose_many(
        self,
        melodies: int,
        options: ComposeOptions | None = None,
        *,
        seed: int = 1,
        **changes: Any,  # noqa: ANN401
    ) -> list[Composition]:
        """Compose 1 to 10000 melodies; melody k does not depend on their number. Other arguments as of `compose`."""
        options = _changed(options, changes)
        check_count(melodies)
        at_once = melodies if options.search == 1 else max(_CANDIDATES_AT_ONCE // options.search, 1)
        made: list[Composition] = []
        with progress("Searching", total=melodies, unit="melodies", quiet=options.search == 1) as bar:
            for first in range(0, melodies, at_once):
                plan = self.plan(range(first, min(first + at_once, melodies)), options, seed)
                made += self.finish(plan, plan.sample(self.model))
                bar.advance(len(made) - first)
        return made

    def stream(
        self,
        melodies: int,
        options: ComposeOptions | None = None,
        *,
        seed: int = 1,
        every: int = 4,
        **changes: Any,  # noqa: ANN401
    ) -> Iterator[StreamChunk]:
        """As `compose_many`, yielding the notes that were completed, every few tokens while they are drawn.

        The last chunk has the finished melodies, equal to those of `compose_many`. Errors are raised by the call.

        Examples:
            >>> composer, options = load("tunes"), ComposeOptions(bars=2)
            >>> chunks = list(composer.stream(2, options, seed=3))
            >>> chunks[-1].compositions == tuple(composer.compose_many(2, options, seed=3))
            True
        """
        if every < 1:
            raise UsageError(f"every must be at least 1, got {every}", "give the tokens between two chunks")
        check_count(melodies)
        plan = self.plan(range(melodies), _changed(options, changes), seed)
        placement = plan.placement
        before = placement.primer if placement.with_primer else placement.primer[:0]
        streams = [NoteStream(self.encoding, placement.semitones, before) for _ in range(melodies)]
        drawing = draw(self.model, **plan.arguments) if plan.search is None else iter([plan.sample(self.model)])
        pickups = plan.pickups(melodies)
        return stream_chunks(drawing, streams, every, lambda samples: self.finish(plan, samples), pickups)

    def rewrite(
        self,
        melody: Melody,
        first: int,
        last: int,
        options: ComposeOptions | None = None,
        *,
        melodies: int = 1,
        seed: int = 1,
        locks: Sequence[Lock] = (),
        **changes: Any,  # noqa: ANN401
    ) -> list[Composition]:
        """Rewrite some bars of a melody so that they fit what comes before and after (`infilling.py`).

        Notes that begin in other bars do not change. One that is held into these bars sounds to its end, and new music
        begins after it; if a note of these bars was held beyond them, the last new note is held as long. A model of
        untimed tokens keeps the rhythm and changes the pitches.

        Args:
            melody: in any key and meter.
            first: the first bar to rewrite, counted from 1; a pickup is bar 0.
            last: the last bar, inclusive.
            options: `style`, `range`, `constrain` and `sampling`; greedy takes the most probable of 64 candidates.
            melodies: how many, 1 to 10000; melody k does not depend on it.
            seed: the same seed gives the same melodies.
            locks: what is kept of notes in these bars (`locks.py`); rhythm and contour alone by models of notes only.
            changes: fields of `ComposeOptions` or `SamplingOptions`.

        Raises:
            UsageError: the melody does not have these bars, no new note can begin in them, or a lock is invalid.

        Examples:
            >>> composer = load("tunes")
            >>> tune = composer.compose(bars=8, seed=1)
            >>> other = composer.rewrite(tune, 5, 8, seed=2)[0]
            >>> other.until(4 * 96).notes == tune.until(4 * 96).notes, other == tune
            (True, False)
        """
        made = self.iter_rewrites(melody, first, last, options, melodies=melodies, seed=seed, locks=locks, **changes)
        return list(made)

    def iter_rewrites(
        self,
        melody: Melody,
        first: int,
        last: int,
        options: ComposeOptions | None = None,
        *,
        melodies: int = 1,
        seed: int = 1,
        locks: Sequence[Lock] = (),
        **changes: Any,  # noqa: ANN401
    ) -> Iterator[Composition]:
        """As `rewrite`, yielding each melody before the next is begun; errors are raised by the call."""
        options = _changed(options, {**changes, "bars": BarRange(first, last)})
        return iter_rewrites(self, melody, options, melodies=melodies, seed=seed, locks=locks)

    def iter_section_rewrites(
        self,
        melody: Melody,
        form: Form,
        section: int,
        options: ComposeOptions | None = None,
        *,
        melodies: int = 1,
        seed: int = 1,
        **changes: Any,  # noqa: ANN401
    ) -> Iterator[Composition]:
        """Rewrite a section and all its returns (`section_rewrites.py`), yielding each melody before the next is begun.

        Literal returns repeat the new section note by note, varied ones with another end. Other notes do not change.

        Args:
            melody: in any key and meter.
            form: of the melody.
            section: the number of the section in the form, from 1; any of those of its letter means all of them.
            options: as for `rewrite`.
            melodies: how many, 1 to 10000; melody k does not depend on it.
            seed: the same seed gives the same melodies.
            changes: fields of `ComposeOptions` or `SamplingOptions`.

        Raises:
            UsageError: the form has no such section, the melody ends before it, or no new note can begin in it.

        Examples:
            >>> composer, form = load("tunes"), Form.parse("A2B2A2")
            >>> tune = composer.compose(form=form, bars=6, seed=1)
            >>> new = next(composer.iter_section_rewrites(tune, form, 1, seed=2))
            >>> again = [note for note in new.notes if note.onset >= 4 * 96]
            >>> new != tune, [note.pitches for note in again] == [note.pitches for note in new.until(2 * 96).notes]
            (True, True)
        """
        return iter_section_rewrites(
            self, melody, form, section, _changed(options, changes), melodies=melodies, seed=seed
        )

    def interpolate(
        self,
        first: Melody,
        last: Melody,
        steps: int = 5,
        options: ComposeOptions | None = None,
        **changes: Any,  # noqa: ANN401
    ) -> list[Composition]:
        """Interpolate between two melodies with a VAE.

        Melodies longer than a window are interpolated window by window. The shorter one is repeated, and the number of
        bars changes evenly from the one to the other.

        Args:
            first: the first of the result, unchanged.
            last: the last of the result, unchanged.
            steps: melodies, both ends among them, 2 to 1000.
            options: `key` (by default along the circle of fifths), `range` and `constrain`.
            changes: fields of `ComposeOptions`.

        Raises:
            UsageError: the model is no VAE, the melodies have different meters or no notes, or an option is invalid.
        """
        return interpolate(self, first, last, steps, _changed(options, changes))

    def vary(
        self,
        melody: Melody,
        amount: float = 0.3,
        options: ComposeOptions | None = None,
        *,
        melodies: int = 1,
        seed: int = 1,
        **changes: Any,  # noqa: ANN401
    ) -> list[Composition]:
        """Vary a melody with a VAE; new notes lie in its key, or are of a pitch class that it has itself.

        Args:
            melody: in any key and meter.
            amount: 0 for the melody itself to 1 for a free sample.
            options: `range`, `constrain` and `sampling`, whose temperature is multiplied by the root of the amount.
            melodies: how many, 1 to 10000; melody k does not depend on it.
            seed: the same seed gives the same melodies.
            changes: fields of `ComposeOptions` or `SamplingOptions`.

        Raises:
            UsageError: the model is no VAE, the melody has no notes, or an option is invalid.
        """
        return vary(self, melody, amount, _changed(options, changes), melodies=melodies, seed=seed)

    def place(self, options: ComposeOptions, primer: Melody | None) -> Placement:
        """Decide key, meter, range and style of music after a primer, and convert the primer to tokens.

        Raises:
            UsageError: the model does not have the style, or a key or a range is invalid.
        """
        number = style_id(options.style, [style.name for style in self.styles])
        style = self.styles[number - 1] if number else Style("")
        return place(
            self.encoding,
            options,
            primer,
            normalized_key=self.normalized_key,
            tuned_key=self.key,
            default_key=style.key or self.key,
            default_meter=style.meter or self.meter,
            style=number,
            has_roles=self.has_roles,
        )

    def plan(self, numbers: range, options: ComposeOptions, seed: int) -> GenerationPlan:
        """Decide all that is fixed before melodies with these numbers are drawn.

        Raises:
            UsageError: an option is invalid.
        """
        if isinstance(options.bars, BarRange):
            raise UsageError(
                f"bars {options.bars} of no piece", "give the piece to rewrite with --of FILE, or a number of bars"
            )
        primer = primer_of(options)
        options, primer = with_chord_defaults(options, primer)
        placement = self.place(options, primer)
        chord_plan = ChordPlan.from_options(options, placement.meter)
        if chord_plan is not None:
            self._check_harmony(chord_plan, options)
            if options.bars is None and options.seconds is None:
                options = options.replace(bars=chord_plan.bars)
        form = self._form(placement, options, numbers, seed, chord_plan)
        if isinstance(form, FormPlan) and options.seconds is None:
            options = options.replace(bars=form.forms[0].bars)
        count, steps = options.search, placement.steps(options)
        bars = placement.bars(len(numbers) * count, placement.length(options))
        chords: tuple[ChordTrack, ...] = ()
        told: list[ChordTrack] = []
        form_notes: tuple[str, ...] = ()
        if chord_plan is not None:
            form, chords, form_notes = _over(chord_plan, form, placement, len(numbers), placement.length(options))
            told = [track for track in chords for _ in range(count)]
            bars = told_chords(bars, told, placement.semitones)
        forms = form.repeated(count) if isinstance(form, FormPlan) else None
        arguments = {
            "uniforms": np.concatenate(
                [generator(seed, "compose", number).random((count, steps)) for number in numbers]
            ),
            "options": options.sampling,
            "primer": placement.primer,
            "allowed": placement.allowed,
            "bars": bars if forms is None else forms.told(bars),
            "constraints": Constraints.from_rules(
                options.constrain, self.encoding, placement.context(), placement.line_steps(options)
            ),
            "encoding": self.encoding,
            "end": placement.length(options),
        }
        if forms is not None and isinstance(self.encoding, NotesEncoding):
            arguments["guide"] = forms.guide(self.encoding, placement.primer)
        search = None
        if count > 1:
            arguments["endings"] = 1  # the search weighs whole candidates
            rngs = [generator(seed, "search", number) for number in numbers]
            over = [track.transposed(-placement.semitones) for track in told]
            search = Search.from_options(options, self.encoding, placement.context(), rngs, over)
        return GenerationPlan(placement, arguments, form, search, chords, form_notes)

    def _check_harmony(self, chord_plan: ChordPlan, options: ComposeOptions) -> None:
        """Raise `UsageError` if the model cannot follow the chords, or they are of sections of no form."""
        if not self.has_harmony:
            raise UsageError(
                f"{self.name or 'this model'} has not learned to follow chords",
                "choose one that has, such as tunes or classical, or leave out --chords",
            )
        if chord_plan.sections and options.form in ("auto", "free"):
            raise UsageError(
                f"chords of the sections {', '.join(chord_plan.sections)} without a form",
                "give one, such as --form AABA, or chords of the whole melody",
            )

    def _form(
        self,
        placement: Placement,
        options: ComposeOptions,
        numbers: range,
        seed: int,
        chord_plan: ChordPlan | None = None,
    ) -> FormPlan | str:
        """The forms of some melodies, or why they have none; letters may have as many bars as their chords.

        Raises:
            UsageError: the model cannot keep the form, or its bars are others than those asked for.
        """
        asked = options.form if isinstance(options.form, Form) else options.form.strip()
        if self.forms is None or options.events is not None:
            reason = "this model has learned no forms" if self.forms is None else "a number of notes has no bars"
            if asked not in ("auto", "free") or options.ending != "auto":
                hint = "choose a model of notes" if self.forms is None else "give --bars in place of --events"
                raise UsageError(f"{reason}, and a form or an ending is asked for", f"{hint}, or leave out both")
            return reason
        if asked == "free":
            return "--form free"
        bars = None if options.bars is None else int(options.bars)
        if options.seconds is not None:
            bars = -(-placement.length(options) // placement.meter.ticks_per_bar)
        form = asked if isinstance(asked, Form) else None
        if isinstance(asked, str) and asked != "auto":
            form = Form.parse(asked, bars) if chord_plan is None else chord_plan.form(asked, bars)
        if form is not None and bars not in (None, form.bars):
            raise UsageError(f"a form of {form.bars} bars, and {bars} are asked for", "give one of them")
        bars = form.bars if form is not None else bars or DEFAULT_BARS
        return FormPlan.draw(
            [generator(seed, "form", number) for number in numbers],
            form=form,
            model=self.forms,
            bars=bars,
            meter=placement.meter,
            key=placement.model_key,
            ending="" if options.ending == "auto" else options.ending,
            length=placement.length(options if options.seconds is not None else options.replace(bars=bars)),
            # Rules to keep count bars from the first note on.
            pickup=placement.pickup if len(placement.primer) or options.constrain else None,
        )

    def finish(self, plan: GenerationPlan, samples: Samples) -> list[Composition]:
        """The compositions of samples that were drawn as planned."""
        placement = plan.placement
        bars = plan.arguments["bars"]
        bars = bars[:: len(bars.pickup) // len(samples.tokens)]  # one of the candidates of each melody
        prior = log_likelihood(self.prior, samples.tokens, primer=placement.primer, bars=bars)
        broken = [None] * len(prior) if samples.broken is None else samples.broken.tolist()
        pickups, forms = plan.pickups(len(prior)), plan.forms(len(prior))
        chords = plan.chords or [ChordTrack()] * len(prior)
        before = 0 if placement.with_primer else placement.primer_ticks
        return [
            placement.composition(
                tokens,
                title=f"{self.name or 'Composition'} {number + 1}",
                log_likelihood=float(prior[number]),
                policy_log_likelihood=float(samples.log_likelihood[number]),
                rules_broken=broken[number],
                pickup=pickups[number],
                form=forms[number],
                no_form=plan.form if isinstance(plan.form, str) else "",
                form_note=plan.form_notes[number] if plan.form_notes else "",
                chords=chords[number].between(before, plan.arguments["end"]),
                conditioning=placement.conditioning(plan.arguments["end"], forms[number], chords[number]),
            )
            for number, tokens in enumerate(samples.tokens)
        ]


@dataclass(frozen=True)
class GenerationPlan:
    """All that is fixed before the first token is drawn.

    Args:
        placement: key, range, meter, tempo and primer.
        arguments: of `sample` and `draw`, the randomness among them.
        form: the forms of the melodies, or why they have none.
        search: among candidates; None if each melody is drawn once.
        chords: of each melody, from the first tick of its primer on; empty for none.
        form_notes: how the form of each melody differs from the one that was asked for; empty for none.
    """

    placement: Placement
    arguments: dict[str, Any]
    form: FormPlan | str
    search: Search | None = None
    chords: tuple[ChordTrack, ...] = ()
    form_notes: tuple[str, ...] = ()

    def forms(self, melodies: int) -> Sequence[Form | None]:
        """The form of each melody."""
        return self.form.forms if isinstance(self.form, FormPlan) else [None] * melodies

    def pickups(self, melodies: int) -> Sequence[int]:
        """The ticks of each result before its first barline; 0 if it leaves out a primer."""
        if len(self.placement.primer) and not self.placement.with_primer:
            bar = self.placement.meter.ticks_per_bar
            # Chords keep their place in the bar.
            return [(self.placement.pickup - self.placement.primer_ticks) % bar if self.chords else 0] * melodies
        return self.form.pickups if isinstance(self.form, FormPlan) else [self.placement.pickup] * melodies

    def sample(self, model: SequenceModel) -> Samples:
        """Draw the melodies."""
        if self.search is None:
            return sample(model, **self.arguments)
        return self.search(Drawing(model, **self.arguments), self.arguments["bars"])


def _over(
    chord_plan: ChordPlan, form: FormPlan | str, placement: Placement, melodies: int, length: int
) -> tuple[FormPlan | str, tuple[ChordTrack, ...], tuple[str, ...]]:
    """The forms with what would return literally over other chords varied, the chords and a note of each melody.

    A melody gets no pickup where its last bar, which is shorter by it, would lack a chord.
    """
    bars = -(-length // placement.meter.ticks_per_bar)
    if not isinstance(form, FormPlan):
        track = chord_plan.track(None, bars).moved(placement.pickup).between(0, length)
        return form, (track,) * melodies, ()
    tracks = [chord_plan.track(one, bars) for one in form.forms]
    kept = tuple(vary_over(one, track, placement.meter) for one, track in zip(form.forms, tracks, strict=True))
    notes = tuple(changed_returns(old, new) for old, new in zip(form.forms, kept, strict=True))
    pickups = tuple(
        at if len(placement.primer) or track[-1][0] + at < length else 0
        for track, at in zip(tracks, form.pickups, strict=True)
    )
    chords = tuple(track.moved(at).between(0, length) for track, at in zip(tracks, pickups, strict=True))
    return replace(form, forms=kept, chords=chords, pickups=pickups), chords, notes


def load(bundle: Bundle | str | Path, precision: Precision = "float32") -> Composer:
    """Load a composer from a bundle.

    Args:
        bundle: a bundle, or its name or path, as for `find_bundle`.
        precision: of the products of a network with more than 5 million parameters; `auto` is bfloat16 if the processor
            supports it, which gives other melodies for the same seed. Smaller ones are float32.

    Raises:
        BundleError: there is no such bundle, or it cannot be read.

    Examples:
        >>> load("tunes").encoding.name
        'notes'
    """
    if isinstance(bundle, Bundle):
        return Composer.from_bundle(bundle, precision=precision)
    return Composer.from_bundle(Bundle.load(find_bundle(bundle)), Path(str(bundle)).stem, precision)


def _changed(options: ComposeOptions | None, changes: dict[str, Any]) -> ComposeOptions:
    return (options or ComposeOptions()).replace(**changes)
