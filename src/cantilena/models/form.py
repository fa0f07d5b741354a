"""Forms for networks: what a network is told of each bar, and which forms, pickups and last notes melodies have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, UsageError
from cantilena.models.conditions import PLAN_COLUMNS
from cantilena.music import MOST_BARS, Cadence, Form, FormSection, Meter

MOST_FORMS = 2000
"""The most forms that a model keeps."""

RETURNS = ("new", "literal", "varied")
CADENCES: tuple[Cadence, ...] = ("full", "half", "open")
NO_PLAN: NDArray[np.int64] = np.zeros((0, PLAN_COLUMNS), dtype=np.int64)
"""The rows of an unknown form."""

_HINT = "the bundle is damaged or of another version: make it again, or update cantilena"


@dataclass(frozen=True)
class FormModel:
    """The frequencies of forms, of pickups and of the lengths of last notes.

    Args:
        counts: by meter, form (`A8A'8B8`) and the cadences of its sections (`half full full`; the last one alone if
            the others were not counted), the number of melodies.
        pickups: by meter and ticks before the first barline, the number of melodies; none if it was not counted.
        last_notes: by meter, ticks before the first barline and ticks from the onset of the last note to the end of
            the melody, the number of melodies; none if it was not counted.

    Examples:
        >>> model = FormModel.learned_from([(Meter(), Form.parse("AABA"))])
        >>> str(model.propose(16, Meter(), np.random.default_rng(1)))
        'A4A4B4A4'
        >>> str(model.propose(18, Meter(3, 4), np.random.default_rng(1)))
        'A4A4B4A4C2'
    """

    counts: Mapping[tuple[str, str, str], int]
    pickups: Mapping[tuple[str, int], int] = field(default_factory=dict)
    last_notes: Mapping[tuple[str, int, int], int] = field(default_factory=dict)

    @classmethod
    def learned_from(
        cls,
        forms: Iterable[tuple[Meter, Form]],
        pickups: Iterable[tuple[Meter, int]] = (),
        last_notes: Iterable[tuple[Meter, int, int]] = (),
    ) -> FormModel:
        """Count the forms, pickups and last notes of melodies; the most frequent `MOST_FORMS` of each are kept."""
        counts = Counter((str(meter), str(form), _cadences_of(form)) for meter, form in forms)
        begins = Counter((str(meter), ticks) for meter, ticks in pickups)
        ends = Counter((str(meter), pickup, ticks) for meter, pickup, ticks in last_notes)
        return cls(_most(counts), _most(begins), _most(ends))

    def propose_pickup(self, meter: Meter, rng: np.random.Generator) -> int:
        """Draw the ticks before the first barline; 0 if no melody of the meter was counted.

        Examples:
            >>> model = FormModel.learned_from([], [(Meter(3, 4), 24)])
            >>> model.propose_pickup(Meter(3, 4), np.random.default_rng(1)), model.propose_pickup(Meter(), rng=None)
            (24, 0)
        """
        return _drawn({ticks: n for (name, ticks), n in self.pickups.items() if name == str(meter)}, rng)

    def propose_last_note(self, meter: Meter, pickup: int, rng: np.random.Generator) -> int:
        """Draw the ticks from the onset of the last note to the end; 0 if no melody with this pickup was counted.

        Examples:
            >>> model = FormModel.learned_from([], [], [(Meter(3, 4), 24, 48)])
            >>> rng = np.random.default_rng(1)
            >>> model.propose_last_note(Meter(3, 4), 24, rng), model.propose_last_note(Meter(3, 4), 0, rng)
            (48, 0)
        """
        counts = self.last_notes.items()
        return _drawn({ticks: n for (name, start, ticks), n in counts if (name, start) == (str(meter), pickup)}, rng)

    def propose(self, bars: int, meter: Meter, rng: np.random.Generator) -> Form:
        """Draw a form of so many bars.

        It is drawn among the forms of the meter that are as long; if there is none, among those of any meter; if there
        is none either, a form of the nearest length is cut, or a section is added to it.

        Args:
            bars: number of bars, the pickup not counted.
            meter: of the melody.
            rng: the randomness.

        Raises:
            UsageError: there are no forms, or the number of bars is out of range.
        """
        if not 1 <= bars <= MOST_BARS:
            raise UsageError(f"a form cannot have {bars:,} bars", f"give 1 to {MOST_BARS:,} bars")
        if not self.counts:
            raise UsageError("this model knows no form", "write the form, such as --form AABA, or --form free")
        gap = min(abs(form.bars - bars) for _, form, _ in self._rows)
        near = [row for row in self._rows if abs(row[1].bars - bars) == gap]
        own = [row for row in near if row[0] == str(meter)] or near
        weights = np.array([count for _, _, count in own], dtype=np.float64)
        form = own[int(rng.choice(len(own), p=weights / weights.sum()))][1]
        return _with_bars(form, bars)

    def with_cadences(self, form: Form, rng: np.random.Generator) -> Form:
        """The form with a cadence of each section that has none yet, as forms of the same letters have them.

        Where no such form was counted, each section gets the cadence of some section of its kind, the last ones of
        forms left out. A literal return ends as what it returns to. If only the cadences of last sections were counted,
        the form stays as it is.

        Examples:
            >>> half_full = FormModel({("4/4", "A4A'4", "half full"): 2})
            >>> form = half_full.with_cadences(Form.parse("AA'", 16), np.random.default_rng(1))
            >>> [section.cadence for section in form.sections]
            ['half', 'full']
        """
        alike, weights = self._alike.get((form.letters, form.cadence), ([], []))
        drawn: Sequence[Cadence | None]
        if alike:
            counts = np.array(weights, dtype=np.float64)
            drawn = alike[int(rng.choice(len(alike), p=counts / counts.sum()))]
        else:
            drawn = [self._some_cadence(section.kind, rng) for section in form.sections]
        whole = [section.cadence or cadence for section, cadence in zip(form.sections, drawn, strict=True)]
        return _agreeing(form.with_cadences(whole))

    def _some_cadence(self, kind: str, rng: np.random.Generator) -> Cadence | None:
        """The cadence of some section of a kind, None if none was counted."""
        counts: Counter[Cadence] = Counter()
        for _, form, count in self._rows:
            for section in form.sections[:-1]:
                if section.kind == kind and section.cadence is not None:
                    counts[section.cadence] += count
        if not counts:
            return None
        weights = np.array([counts[name] for name in CADENCES], dtype=np.float64)
        return CADENCES[int(rng.choice(len(CADENCES), p=weights / weights.sum()))]

    @cached_property
    def _rows(self) -> list[tuple[str, Form, int]]:
        """Meter, form and count of all forms; reading their texts takes longer than to choose."""
        return [(meter, _form_of(form, cadences), count) for (meter, form, cadences), count in self.counts.items()]

    @cached_property
    def _alike(self) -> dict[tuple[str, Cadence], tuple[list[tuple[Cadence, ...]], list[int]]]:
        """By letters and last cadence, the cadences of forms of which all were counted, and how often each was."""
        alike: dict[tuple[str, Cadence], tuple[list[tuple[Cadence, ...]], list[int]]] = {}
        for _, form, count in self._rows:
            if form.cadences:
                cadences, counts = alike.setdefault((form.letters, form.cadence), ([], []))
                cadences.append(form.cadences)
                counts.append(count)
        return alike

    def to_json(self) -> dict[str, list[list[str | int]]]:
        """Of each kind its rows: what was counted, and the count."""
        kinds: dict[str, Mapping[Any, int]] = {
            "forms": self.counts,
            "pickups": self.pickups,
            "last_notes": self.last_notes,
        }
        return {name: [[*key, count] for key, count in counts.items()] for name, counts in kinds.items()}

    @classmethod
    def from_json(cls, record: Any) -> FormModel:  # noqa: ANN401  (untrusted JSON)
        """Build a model from what `to_json` returned.

        Raises:
            BundleError: the rows are not those of a model of forms.
        """
        if not isinstance(record, dict):
            record = {"forms": record}  # of a bundle that has no pickups
        counts: dict[tuple[str, str, str], int] = {}
        for row in _rows_of(record, "forms", (str, str, str), "meter, form, cadences"):
            meter, form, cadences, count = row
            try:
                Meter.parse(meter)
                _form_of(form, cadences)
            except UsageError as error:
                raise BundleError(f"this bundle's forms are damaged: {error.text}", _HINT) from error
            counts[meter, form, cadences] = count
        pickups = _rows_of(record, "pickups", (str, int), "meter, ticks")
        last_notes = _rows_of(record, "last_notes", (str, int, int), "meter, ticks of the pickup, ticks")
        for meter, pickup, *_ in (*pickups, *last_notes):
            try:
                valid = 0 <= pickup < Meter.parse(meter).ticks_per_bar
            except UsageError as error:
                raise BundleError(f"this bundle's pickups are damaged: {error.text}", _HINT) from error
            if not valid:
                raise BundleError("one of this bundle's pickups is not shorter than a bar", _HINT)
        return cls(
            counts,
            {(meter, pickup): count for meter, pickup, count in pickups},
            {(meter, pickup, ticks): count for meter, pickup, ticks, count in last_notes},
        )


def _rows_of(record: Mapping[str, Any], name: str, key: tuple[type, ...], what: str) -> list[list[Any]]:
    """The rows of one kind of an untrusted record.

    Raises:
        BundleError: they are no list or too many, or one does not consist of a key and a count.
    """
    rows = record.get(name, [] if name != "forms" else None)
    if not isinstance(rows, list) or len(rows) > MOST_FORMS:
        raise BundleError(f"this bundle's {name.replace('_', ' ')} are not a list, or too many", _HINT)
    for row in rows:
        if not isinstance(row, list) or [type(value) for value in row] != [*key, int] or row[-1] < 1:
            raise BundleError(f"this bundle's {name.replace('_', ' ')} are not rows of {what} and count", _HINT)
    return rows


def _drawn(counts: Mapping[int, int], rng: np.random.Generator) -> int:
    """One of some numbers by how often each was counted, 0 if there is none."""
    if not counts:
        return 0
    weights = np.array(list(counts.values()), dtype=np.float64)
    return list(counts)[int(rng.choice(len(counts), p=weights / weights.sum()))]


def _most(counts: Counter[Any]) -> dict[Any, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_FORMS])


def plan_rows(form: Form) -> NDArray[np.int64]:
    """What a network is told of each bar of a form, `(bars, 4)`; 0 stands for unknown.

    The columns are: how its section returns, 1 to 3 for `RETURNS`; how many bars back what it returns to lies; the
    number of bars to the end of its phrase, its own among them; the cadence of its section, 1 to 3 for `CADENCES`.

    Examples:
        >>> from cantilena.music import Form
        >>> plan_rows(Form.parse("AA'", bars=4)).tolist()
        [[1, 0, 2, 0], [1, 0, 1, 0], [3, 2, 2, 1], [3, 2, 1, 1]]
    """
    rows = []
    for bar in range(1, form.bars + 1):
        section, (place, count) = form.section_of(bar), form.place_of(bar)
        cadence = 0 if section.cadence is None else 1 + CADENCES.index(section.cadence)
        rows.append([1 + RETURNS.index(section.kind), form.lag_of(bar), count - place + 1, cadence])
    return np.array(rows, dtype=np.int64)


def padded_plans(plans: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """`(melodies, bars of the longest, 4)`: the rows of some forms, padded with zeros."""
    padded = np.zeros((len(plans), max(map(len, plans), default=0), PLAN_COLUMNS), dtype=np.int64)
    for plan, row in zip(plans, padded, strict=True):
        row[: len(plan)] = plan
    return padded


def _cadences_of(form: Form) -> str:
    """The cadences of all sections, or of the last one if another is not known."""
    return " ".join(form.cadences) or form.cadence


@lru_cache(maxsize=4 * MOST_FORMS)
def _form_of(text: str, cadences: str) -> Form:
    """The form with these cadences, of all sections or of the last one.

    Raises:
        UsageError: it is no form, or has another number of sections.
    """
    *others, last = cadences.split(" ")
    form = Form.parse(text, ending=last)  # type: ignore[arg-type]
    return _agreeing(form.with_cadences([*others, last])) if others else form  # type: ignore[list-item]


def _agreeing(form: Form) -> Form:
    """The form with literal returns that end as what they return to: as the last one, where that is literal.

    A return of more than 95 % of the notes is literal in a score, but can end on another one.
    """
    sections = form.sections
    if all(section.kind != "literal" for section in sections):
        return form
    cadences = {section.label: section.cadence for section in sections if section.kind == "new"}
    last = sections[-1]
    if last.kind == "literal" and last.cadence is not None:
        cadences[last.label] = last.cadence
    return form.with_cadences(
        [section.cadence if section.kind == "varied" else cadences[section.label] for section in sections]
    )


def _with_bars(form: Form, bars: int) -> Form:
    """The form cut to so many bars, or with another section at the end."""
    sections = list(form.sections)
    while sections and sections[-1].first > bars:
        sections.pop()
    last = sections[-1]
    if bars < last.last:
        # A section that is cut cannot return to a longer one.
        sections[-1] = FormSection(_unused(sections[:-1]), last.first, bars, "new", form.sections[-1].cadence)
    elif bars > form.bars:
        sections.append(FormSection(_unused(sections), form.bars + 1, bars, "new", last.cadence))
    return Form(tuple(sections)) if bars != form.bars else form


def _unused(sections: list[FormSection]) -> str:
    """The first letter that no section has; the last one where all are used."""
    used = {section.label for section in sections}
    return next((letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in used), "Z")
