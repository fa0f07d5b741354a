"""Encoded corpora: what models learn from and are measured on, as tokens, split by piece.

Also the styles of a corpus, excerpts of human melodies to compare a model's with, and folders of held-out scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import (
    SPLITS,
    Corpus,
    ReadLimits,
    Skipped,
    Split,
    Styles,
    normalize_key,
    open_corpus,
    read_folder,
)
from cantilena.errors import CorpusError, UsageError
from cantilena.models import (
    CONDITIONS,
    LEAD,
    MODES,
    NO_CHORDS,
    NO_PLAN,
    UNKNOWN,
    Bars,
    Bundle,
    Likelihood,
    SequenceModel,
    Sequences,
    chord_rows,
    condition_ids,
    likelihood,
    padded_chords,
    padded_plans,
    plan_rows,
    register_id,
)
from cantilena.music import MOST_BARS, Form, Key, Melody, Repeats, find_form, find_key, form_origin
from cantilena.rules import Context
from cantilena.runtime import log
from cantilena.tokenizers import END, Encoding, EventsEncoding, GridEncoding, NotesEncoding
from cantilena.workflows.learned_corpus import shipped_corpus

COLUMNS = ("collection", "composer")
"""Columns of a corpus that can name styles; anything else is a file of clusters."""

LEAST = 12
"""Training melodies that a style needs; melodies of rarer styles get none."""

LEAST_OF_MODE = 20
"""Training melodies that a network needs to learn a mode other than major and minor."""

_ROLES = {"alto": "inner", "tenor": "inner", "bass": "bass"}
"""The roles of the voices of the built-in chorales that do not lead."""

_PURPOSE = {"train": "learn from", "valid": "stop training by", "test": "measure on"}

_ENOUGH = 200
"""Held-out excerpts below which those of the training pieces are used too."""


@dataclass(frozen=True)
class StyleLabels:
    """The style of each melody of a corpus, as a number from 1; 0 without one.

    Args:
        names: of the styles, the most frequent first.
        of_split: the numbers of each split; empty without styles.
        by: where they come from: `collection`, `composer` or `clusters.json`; "" for none.
        always: names of those that training always tells, so that an unknown style is none of them.
    """

    names: tuple[str, ...] = ()
    of_split: Mapping[Split, Sequence[int]] = field(default_factory=dict)
    by: str = ""
    always: tuple[str, ...] = ()

    def of(self, split: Split) -> Sequence[int] | None:
        """The numbers of the melodies of a split; None without styles."""
        return self.of_split.get(split)

    @property
    def always_numbers(self) -> frozenset[int]:
        """The numbers of those that training always tells."""
        return frozenset(number for number, name in enumerate(self.names, 1) if name in self.always)


def style_labels(corpus: Corpus, by: str, always: Sequence[str] = ()) -> StyleLabels:
    """Number the styles of a corpus.

    Args:
        corpus: with its splits.
        by: `collection`, `composer`, or the `clusters.json` that `corpus cluster` wrote; "" for no styles.
        always: names of styles that training always tells.

    Raises:
        UsageError: fewer than two styles.
        CorpusError: the file holds no styles.
    """
    if not by.strip():
        return StyleLabels()
    parts = {split: corpus.split(split) for split in SPLITS}
    if by in COLUMNS:
        styles = {split: list(part.column(by)) for split, part in parts.items()}
    else:
        clusters = Styles.load(Path(by))
        styles = {split: clusters.column(part) for split, part in parts.items()}
    counts = Counter(name for name in styles["train"] if name.strip())
    names = tuple(name for name, count in counts.most_common() if count >= LEAST)
    if len(names) < 2:
        raise UsageError(
            f"by {by} the corpus has {len(names)} style{'s' if len(names) != 1 else ''} of {LEAST} melodies or more",
            "choose collection, composer, or the clusters.json of `cantilena corpus cluster`",
        )
    rare = sum(count for name, count in counts.items() if name not in names)
    if rare:
        log(f"{len(names)} styles by {by}; {rare} melodies have none, because fewer than {LEAST} share theirs")
    numbers = {name: number for number, name in enumerate(names, 1)}
    of_split = {split: [numbers.get(name, 0) for name in some] for split, some in styles.items()}
    return StyleLabels(names, of_split, by if by in COLUMNS else "clusters.json", tuple(always))


def usual_settings(labels: StyleLabels, melodies: Sequence[Melody]) -> dict[str, Any]:
    """The most frequent meter and key of each style, and its number of training melodies, as JSON values."""
    numbers = labels.of("train")
    if numbers is None:
        return {}
    usual: dict[str, Any] = {}
    for number, name in enumerate(labels.names, 1):
        own = [melody for melody, style in zip(melodies, numbers, strict=True) if style == number]
        keys = [key for key in (melody.key or find_key(melody) for melody in own) if key is not None]
        usual[name] = {
            "melodies": len(own),
            "meter": Counter(str(melody.meter) for melody in own).most_common(1)[0][0],
            "key": Counter(key.name for key in keys).most_common(1)[0][0] if keys else None,
        }
    return usual


@dataclass(frozen=True)
class EncodedPieces:
    """The melodies of one split, and their tokens."""

    melodies: tuple[Melody, ...]
    sequences: Sequences
    encoding: Encoding = field(default_factory=GridEncoding)
    forms: tuple[Form | None, ...] = ()  # of melodies by the note; None for one with more bars than a form has

    def __len__(self) -> int:
        return len(self.melodies)

    def take(self, rows: NDArray[np.integer]) -> EncodedPieces:
        """The pieces with `(k,)` numbers."""
        melodies = tuple(self.melodies[row] for row in rows)
        forms = tuple(self.forms[row] for row in rows) if self.forms else ()
        return replace(self, melodies=melodies, sequences=self.sequences[rows], forms=forms)


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus as tokens.

    Args:
        encoding: what the tokens mean.
        train: training split.
        valid: validation split, for early stopping.
        test: test split.
        normalized_key: whether everything was transposed to C major or A minor.
        folded: notes moved by octaves into the range.
        rounded: notes moved to the grid.
        dropped: notes that the encoding cannot represent.
        styles: `usual_settings`; empty without styles.
        styles_by: as `StyleLabels.by`.
    """

    encoding: Encoding
    train: EncodedPieces
    valid: EncodedPieces
    test: EncodedPieces
    normalized_key: bool
    folded: int
    rounded: int
    dropped: int
    styles: Mapping[str, Any] = field(default_factory=dict)
    styles_by: str = ""


def encode_on_grid(corpus: Corpus, styles: StyleLabels | None = None) -> EncodedCorpus:
    """Encode a corpus on RL Tuner's grid, in C major or A minor."""
    return encode_splits(
        {split: corpus.melodies(split) for split in SPLITS}, "grid", normalized_key=True, styles=styles
    )


def encode_as_events(corpus: Corpus) -> EncodedCorpus:
    """Encode the notes and chords of a corpus as in the paper's section VII: in their keys, without time."""
    return encode_splits({split: corpus.melodies(split) for split in SPLITS}, "events", normalized_key=False)


def encode_splits(
    melodies: Mapping[Split, Sequence[Melody]],
    encoding: str,
    *,
    normalized_key: bool,
    grid: GridEncoding | None = None,
    styles: StyleLabels | None = None,
    chords: bool = False,
) -> EncodedCorpus:
    """Encode melodies by split.

    Args:
        melodies: of each split.
        encoding: `grid`, or `events` or `notes`, whose vocabulary is that of all splits: if it lacked chords or
            durations of held-out pieces, the rarest steps would not be counted, and every likelihood would look better
            than it is.
        normalized_key: transpose each melody to C major or A minor, in the octave that fits the grid's range.
        grid: the grid, whose range is also that of notes; RL Tuner's if None.
        styles: of the melodies, None if unknown.
        chords: whether notes have the chords below them, else top notes alone.

    Raises:
        CorpusError: a split holds no melody.
    """
    grid, styles = grid or GridEncoding(), styles or StyleLabels()
    parts = {split: list(some) for split, some in melodies.items()}
    if normalized_key:
        parts = {split: [normalize_key(m, low=grid.low, high=grid.high) for m in some] for split, some in parts.items()}
    tokenizer: Encoding = grid
    if encoding == "events":
        tokenizer = EventsEncoding.learned_from([melody for some in parts.values() for melody in some])
    elif encoding == "notes":
        every_melody = (melody for some in parts.values() for melody in some)
        tokenizer = NotesEncoding.learned_from(every_melody, low=grid.low, high=grid.high, chords=chords)
    fits = {split: [tokenizer.fit(melody) for melody in some] for split, some in parts.items()}
    pieces = {
        # Held-out pieces are predicted without their forms.
        split: encode_pieces(
            tokenizer,
            [fit.melody for fit in some],
            styles.of(split),
            find_forms=split == "train",
            always=styles.always_numbers,
        )
        for split, some in fits.items()
    }
    for split, some in pieces.items():
        if not len(some):
            raise CorpusError(f"the corpus holds no melody to {_PURPOSE[split]}", "give a corpus of 10 pieces or more")
    every = [fit for some in fits.values() for fit in some]
    return EncodedCorpus(
        encoding=tokenizer,
        train=pieces["train"],
        valid=pieces["valid"],
        test=pieces["test"],
        normalized_key=normalized_key,
        folded=sum(fit.folded for fit in every),
        rounded=sum(fit.rounded for fit in every),
        dropped=sum(fit.dropped for fit in every),
        styles=usual_settings(styles, parts["train"]),
        styles_by=styles.by,
    )


def encode_pieces(
    encoding: Encoding,
    melodies: Sequence[Melody],
    styles: Sequence[int] | None = None,
    *,
    find_forms: bool = False,
    always: frozenset[int] = frozenset(),
) -> EncodedPieces:
    """Encode melodies; those that give no token are left out.

    Args:
        encoding: what the tokens mean.
        melodies: on its grid and in its range.
        styles: the number of the style of each, 0 for none; None if unknown.
        find_forms: tell a model of notes the form of each, which takes a millisecond or two; else none is told.
        always: the numbers of styles that training always tells.
    """
    numbers = [UNKNOWN] * len(melodies) if styles is None else styles
    encoded = [(melody, style, encoding.encode(melody)) for melody, style in zip(melodies, numbers, strict=True)]
    kept = [(melody, style, tokens) for melody, style, tokens in encoded if len(tokens)]
    unit, is_notes = encoding.ticks_per_count, isinstance(encoding, NotesEncoding)
    conditions = [
        condition_ids(
            melody.key or find_key(melody),
            melody.meter,
            style,
            role_of(melody) if is_notes else "",
            register_of(melody) if is_notes else UNKNOWN,
        )
        for melody, style, _ in kept
    ]
    has_chords = is_notes and any(melody.chords for melody, _, _ in kept)
    # As the tokens are, without repeats.
    notated = [replace(melody, repeats=Repeats()) for melody, _, _ in kept] if is_notes and find_forms else []
    forms = tuple(find_form(melody) if _bar_count(melody) <= MOST_BARS else None for melody in notated)
    bars = Bars(
        np.array([max(melody.meter.ticks_per_bar // unit, 1) for melody, _, _ in kept], dtype=np.int64),
        np.array([melody.pickup // unit for melody, _, _ in kept], dtype=np.int64),
        np.array(conditions, dtype=np.int64).reshape(len(kept), len(CONDITIONS)),
        np.array([melody.length if is_notes else 0 for melody, _, _ in kept], dtype=np.int64),
        padded_plans([plan_rows(form) if form else NO_PLAN for form in forms or [None] * len(kept)]),
        np.array([form_origin(melody) for melody in notated] if forms else [0] * len(kept), dtype=np.int64),
        padded_chords([chord_rows(melody.chords) for melody, _, _ in kept] if has_chords else [NO_CHORDS] * len(kept)),
    )
    pieces = [np.append(tokens, END) if is_notes else tokens for _, _, tokens in kept]
    clocks = (
        tuple(encoding.ticks(tokens[None])[0] for tokens in pieces) if isinstance(encoding, NotesEncoding) else None
    )
    told = np.array([style in always for _, style, _ in kept], dtype=np.bool_) if always else None
    sequences = Sequences(tuple(pieces), bars, clocks, told)
    return EncodedPieces(tuple(melody for melody, _, _ in kept), sequences, encoding, forms)


def _bar_count(melody: Melody) -> int:
    """Number of bars, a pickup and an incomplete last one counted as one each."""
    return -(-melody.pickup // melody.meter.ticks_per_bar) - (
        -max(melody.length - melody.pickup, 0) // melody.meter.ticks_per_bar
    )


def modes_of(pieces: EncodedPieces) -> tuple[str, ...]:
    """The modes that a network can learn from the pieces: major, minor, and those of 20 melodies or more."""
    counts = np.bincount(pieces.sequences.bars.condition_ids[:, CONDITIONS.index("mode")], minlength=1 + len(MODES))
    return tuple(
        mode for mode, count in zip(MODES, counts[1:], strict=True) if count >= LEAST_OF_MODE or mode in MODES[:2]
    )


def knows_chords(pieces: EncodedPieces) -> bool:
    """Whether a network can learn to follow chords from the pieces: 20 of them or more have any."""
    return int((pieces.sequences.bars.chords[:, :, 1] != UNKNOWN).any(axis=1).sum()) >= LEAST_OF_MODE


def role_of(melody: Melody) -> str:
    """What a melody is to the other parts of its score, one of `ROLES`: as its source names it, else the lead.

    Examples:
        >>> role_of(Melody((), source="bach/bwv1.6.mxl#alto")), role_of(Melody((), source="airs.abc#3"))
        ('inner', 'lead')
    """
    return role_of_source(melody.source)


def role_of_source(source: str) -> str:
    """The role that the name of a melody's source says, else the lead."""
    return _ROLES.get(source.rpartition("#")[2], LEAD)


def register_of(melody: Melody) -> int:
    """The id of the mean pitch of the highest notes."""
    pitches = [note.top for note in melody.sounding]
    return register_id(sum(pitches) / len(pitches)) if pitches else UNKNOWN


@dataclass(frozen=True)
class Excerpts:
    """Equally long excerpts of pieces.

    Args:
        tokens: `(excerpts, steps)`, of notes `(excerpts, tokens)` padded with `end`.
        piece: `(excerpts,)`, the number of each one's piece.
        contexts: the key of each one's whole piece, and its meter.
    """

    tokens: NDArray[np.int64]
    piece: NDArray[np.int64]
    contexts: tuple[Context, ...]


def excerpts(pieces: EncodedPieces, steps: int) -> Excerpts:
    """All excerpts of so many steps that do not overlap, from each piece's first barline on.

    A hold at the start of an excerpt, which continues an earlier note, stays a hold. Of notes it is a rest, and
    excerpts in which nothing begins are left out.
    """
    rows: list[NDArray[np.int64]] = []
    owners: list[int] = []
    for number, tokens in enumerate(pieces.sequences.tokens):
        first = int(pieces.sequences.bars.pickup[number])
        if pieces.sequences.clocks is None:
            found = [tokens[start : start + steps] for start in range(first, len(tokens) - steps + 1, steps)]
        else:
            melody, ticks = pieces.melodies[number], steps * pieces.encoding.ticks_per_step
            starts = range(first, melody.length - ticks + 1, ticks)
            parts = (melody.between(start, start + ticks) for start in starts)
            found = [pieces.encoding.encode(part) for part in parts if part.notes]
        rows += found
        owners += [number] * len(found)
    width = steps if pieces.sequences.clocks is None else max(map(len, rows), default=0)
    stacked = np.full((len(rows), width), END, dtype=np.int64)
    for row, tokens in zip(stacked, rows, strict=True):
        row[: len(tokens)] = tokens
    of_piece = {owner: context_of(pieces, owner) for owner in set(owners)}
    return Excerpts(stacked, np.array(owners, dtype=np.int64), tuple(of_piece[owner] for owner in owners))


def context_of(pieces: EncodedPieces, number: int) -> Context:
    """Key and meter of a piece."""
    melody, encoding = pieces.melodies[number], pieces.encoding
    steps = max(melody.meter.ticks_per_bar // encoding.ticks_per_step, 1)
    return Context(melody.key or Key(), melody.meter, steps, timed=encoding.has_rhythm)


def reference_excerpts(bundle: Bundle, steps: int, against: str = "") -> Excerpts | None:
    """Excerpts of human melodies to compare a model's melodies with; None if there is no corpus.

    Args:
        bundle: whose encoding and keys are used.
        steps: of each excerpt.
        against: a corpus by name, file or folder; if empty, the one that the bundle was trained on, if it ships.

    Raises:
        CorpusError: the corpus that was named cannot be read, or holds no melody as long.
    """
    name = against or shipped_corpus(bundle)
    if not name:
        log("No corpus to compare with (--against CORPUS): diversity is compared with the untuned model's")
        return None
    normalized_key = bool(bundle.provenance.get("plain_keys"))
    result = corpus_excerpts(open_corpus(name), bundle.encoding, steps, normalized_key=normalized_key)
    if not len(result.tokens):
        if against:
            raise CorpusError(f"no melody of {name} is {steps} steps long", "give another corpus, or fewer --steps")
        log(f"No melody of {name} is {steps} steps long: diversity is compared with the untuned model's")
        return None
    return result


def corpus_excerpts(corpus: Corpus, encoding: Encoding, steps: int, *, normalized_key: bool) -> Excerpts:
    """The held-out excerpts of a corpus; all of its excerpts if those are few."""
    held_out = _excerpts(list(corpus.melodies("test")), encoding, steps, normalized_key=normalized_key)
    if len(held_out.tokens) >= _ENOUGH:
        return held_out
    return _excerpts(list(corpus), encoding, steps, normalized_key=normalized_key)


def _excerpts(melodies: list[Melody], encoding: Encoding, steps: int, *, normalized_key: bool) -> Excerpts:
    return excerpts(encode_pieces(encoding, transposed(melodies, encoding, normalized_key=normalized_key)), steps)


def transposed(melodies: Sequence[Melody], encoding: Encoding, *, normalized_key: bool) -> Sequence[Melody]:
    """Melodies in C major or A minor if that is wanted and the encoding is a grid, else as they are."""
    if normalized_key and isinstance(encoding, GridEncoding | NotesEncoding):
        return [normalize_key(melody, low=encoding.low, high=encoding.high) for melody in melodies]
    return melodies


@dataclass(frozen=True)
class HeldOutPieces:
    """Held-out pieces as the tokens of one encoding.

    `labels`, `(pieces,)`, names the work of each: pieces of one work are not independent of each other. `folded`,
    `rounded` and `dropped` notes were moved by octaves, moved to the grid, or left out for want of a token or of room
    under others; `silent` pieces had no note left.
    """

    encoding: Encoding
    sequences: Sequences
    labels: NDArray[np.str_]
    folded: int
    rounded: int
    dropped: int
    silent: int

    def predicted_by(self, model: SequenceModel) -> Likelihood:
        """How well a model of this encoding predicts them.

        Raises:
            CorpusError: there is no piece.
        """
        return likelihood_of(model, self.sequences, self.encoding)


@dataclass(frozen=True)
class HeldOut:
    """A folder of scores, taken as it is: no deduplication, cutting, transposition or key normalisation.

    Args:
        folder: the folder.
        jobs: worker processes that read it; 0 uses one a processor.
        limits: of reading one piece.

    Examples:
        >>> import tempfile
        >>> from cantilena.io import write
        >>> place = Path(tempfile.mkdtemp())
        >>> write(Melody.from_pitches([(60, 24), (96, 24)]), place / "two_notes.mid")
        >>> pieces = HeldOut(place, jobs=1).pieces(GridEncoding())
        >>> pieces.sequences.tokens[0].tolist(), pieces.folded  # the C7 is read as a C5
        ([14, 1, 1, 1, 26, 1, 1, 1], 1)
    """

    folder: Path
    jobs: int = 0
    limits: ReadLimits = field(default_factory=ReadLimits)

    def pieces(self, encoding: Encoding, *, normalized_key: bool = False) -> HeldOutPieces:
        """Its pieces for a model of some encoding.

        Args:
            encoding: the melody line is read for the grid, notes and chords for events.
            normalized_key: transpose each to C major or A minor, for a model of the grid that knows no other key.

        Raises:
            CorpusError: there is no such folder, or nothing in it can be used.
        """
        corpus = self._melodies if encoding.has_rhythm else self._all_voices
        fits = [encoding.fit(one) for one in transposed(corpus.melodies(), encoding, normalized_key=normalized_key)]
        kept = [number for number, fit in enumerate(fits) if len(encoding.encode(fit.melody))]
        if not kept:
            raise CorpusError(
                f"the model has no token for any note in {self.folder}", "name scores like those that it learned from"
            )
        return HeldOutPieces(
            encoding,
            encode_pieces(encoding, [fits[number].melody for number in kept]).sequences,
            np.array(corpus.column("piece"), dtype=np.str_)[kept],
            folded=sum(fit.folded for fit in fits),
            rounded=sum(fit.rounded for fit in fits) if encoding.has_rhythm else 0,
            dropped=sum(fit.dropped for fit in fits),
            silent=len(fits) - len(kept),
        )

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that could not be used, of all that was read so far."""
        read = [corpus for corpus in (self.__dict__.get(name) for name in ("_melodies", "_all_voices")) if corpus]
        return tuple(dict.fromkeys(row for corpus in read for row in corpus.manifest.skipped))

    @cached_property
    def _melodies(self) -> Corpus:
        return read_folder(self.folder, self.limits.read_options(voice="melody", jobs=self.jobs), as_is=True)

    @cached_property
    def _all_voices(self) -> Corpus:
        return read_folder(self.folder, self.limits.read_options(voice="all", jobs=self.jobs), as_is=True)


def likelihood_of(model: SequenceModel, pieces: Sequences, encoding: Encoding, *, chords: bool = False) -> Likelihood:
    """The likelihood of whole pieces, with their note onsets counted; without conditions, but told chords if asked.

    Raises:
        CorpusError: there is no piece.

    Examples:
        >>> from cantilena.models import TopTokens
        >>> uniform = TopTokens(vocabulary_size=38, tokens=tuple(range(38)))
        >>> pieces = Sequences.from_tokens([[14, 1, 16, 1]])
        >>> round(likelihood_of(uniform, pieces, GridEncoding()).nats_per_note, 3)  # 2 ln 38
        7.275
    """
    onsets = [encoding.line(tokens[None, :]).pitch[0] >= 0 for tokens in pieces.tokens]
    if not chords:
        return likelihood(model, pieces, onsets)
    bars = replace(pieces.bars.without_conditions(), chords=pieces.bars.chords)
    return likelihood(model, replace(pieces, bars=bars), onsets, conditioned=True)
