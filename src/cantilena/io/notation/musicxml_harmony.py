"""Chord symbols of MusicXML: `<harmony>` elements, read and written.

Source: MusicXML 4.0 (W3C Community Group Report, 2021), elements `<harmony>`, `<degree>`, data type `kind-value`.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from cantilena.errors import UsageError
from cantilena.io.engraving.spelling import SpelledChord
from cantilena.music import CHORD_TONES, NATURALS, Chord, Key

QUALITIES = {
    "major": "maj", "minor": "min", "augmented": "aug", "diminished": "dim", "dominant": "7", "major-seventh": "maj7",
    "minor-seventh": "min7", "diminished-seventh": "dim7", "half-diminished": "m7b5", "augmented-seventh": "7",
    "major-minor": "min", "major-sixth": "maj", "minor-sixth": "min", "dominant-ninth": "7", "major-ninth": "maj7",
    "minor-ninth": "min7", "dominant-11th": "7", "major-11th": "maj7", "minor-11th": "min7", "dominant-13th": "7",
    "major-13th": "maj7", "minor-13th": "min7", "suspended-second": "sus2", "suspended-fourth": "sus4", "power": "maj",
}  # fmt: skip
"""Kinds of chords and the quality that each is read as: tensions above the seventh are not kept."""

_KINDS = {
    "maj": "major", "min": "minor", "dim": "diminished", "aug": "augmented", "7": "dominant", "maj7": "major-seventh",
    "min7": "minor-seventh", "m7b5": "half-diminished", "dim7": "diminished-seventh", "sus2": "suspended-second",
    "sus4": "suspended-fourth", "7sus4": "suspended-fourth",
}  # fmt: skip
HIDDEN_SEVENTH = (
    '<degree print-object="no"><degree-value>7</degree-value><degree-alter>0</degree-alter>'
    "<degree-type>add</degree-type></degree>"
)
"""The seventh of a suspended chord, which its text names."""


_NATURAL = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 7: 10}  # semitones of the degrees of a dominant chord
_NO_CHORD = ("", "nc", "nochord", "none", "tacet")


def chord_of(harmony: Element) -> Chord | str:
    """Return the chord of a `<harmony>` as written, or why there is none.

    Of stacked chords the first one is taken.
    """
    kind = harmony.find("kind")
    name = (kind.text or "").strip() if kind is not None else ""
    text = kind.get("text", "").strip() if kind is not None else ""
    if name == "none":
        if text.lower().replace(".", "").replace(" ", "") in _NO_CHORD:
            return Chord(None)
        return f"the chord symbol '{text[:20]}' is not known"
    root = _pitch_class(harmony, "root")
    if root is None:
        return "harmony by function or numeral is left out"
    quality = QUALITIES.get(name) or _by_text(text or name)
    if not quality:
        return f"the kind of chord '{(name or text)[:30]}' is not known"
    quality = _with_degrees(quality, harmony) if name in QUALITIES else quality
    bass = _pitch_class(harmony, "bass")
    inversion = (harmony.findtext("inversion") or "").strip()
    if bass is None and inversion in ("1", "2", "3"):
        tones = CHORD_TONES[quality]
        bass = (root + tones[int(inversion)]) % 12 if int(inversion) < len(tones) else None
    return Chord(root, quality, bass)


def harmony_element(chord: Chord, key: Key, late: int = 0) -> str:
    """Return a chord as a `<harmony>` element.

    Args:
        chord: the chord.
        key: the key that it is spelled in.
        late: divisions from the place of the element to the chord.

    Examples:
        >>> from xml.etree import ElementTree
        >>> text = harmony_element(Chord.parse("Bb7/F"), Key.parse("F major"))
        >>> chord_of(ElementTree.fromstring(text)) == Chord.parse("Bb7/F")
        True
    """
    offset = f"<offset>{late}</offset>" if late else ""
    symbol = SpelledChord.of_chord(chord, key)
    if symbol.root is None:
        root = '<root><root-step text="">C</root-step></root>'
        return f'<harmony print-frame="no">{root}<kind text="N.C.">none</kind>{offset}</harmony>'
    kind = f"<kind text={quoteattr(symbol.suffix)}>{_KINDS[chord.quality]}</kind>"
    bass = _note("bass", *symbol.bass) if symbol.bass else ""
    seventh = HIDDEN_SEVENTH if chord.quality == "7sus4" else ""
    return f'<harmony print-frame="no">{_note("root", *symbol.root)}{kind}{bass}{seventh}{offset}</harmony>'


def _note(name: str, step: str, alter: int) -> str:
    altered = f"<{name}-alter>{alter}</{name}-alter>" if alter else ""
    return f"<{name}><{name}-step>{step}</{name}-step>{altered}</{name}>"


def _pitch_class(harmony: Element, which: str) -> int | None:
    step = NATURALS.get((harmony.findtext(f"{which}/{which}-step") or "").strip().upper())
    alter = (harmony.findtext(f"{which}/{which}-alter") or "0").strip()
    try:
        return None if step is None else (step + int(float(alter[:8]))) % 12
    except (ValueError, OverflowError):
        return step


def _by_text(text: str) -> str:
    """The quality that a suffix of a lead sheet names, or ""."""
    try:
        return Chord.parse(f"C{text}").quality
    except UsageError:
        return ""


def _with_degrees(quality: str, harmony: Element) -> str:
    """A quality with the degrees up to the seventh that are added, altered or taken away; the others are tensions."""
    tones = dict(zip(_degrees(quality), CHORD_TONES[quality], strict=True))
    for degree in harmony.findall("degree"):
        value, alter = ((degree.findtext(f"degree-{name}") or "0").strip() for name in ("value", "alter"))
        action = (degree.findtext("degree-type") or "").strip()
        try:
            place, shift = int(value[:4]), int(float(alter[:8]))
        except (ValueError, OverflowError):
            continue
        if action == "subtract":
            tones.pop(place, None)
        elif action == "alter" and place in tones:
            tones[place] += shift
        elif action == "add" and place in _NATURAL:
            tones[place] = _NATURAL[place] + shift
    if 3 in tones:
        tones = {degree: tone for degree, tone in tones.items() if degree not in (2, 4)}
    found = tuple(sorted(tones.values()))
    return next((name for name, pattern in CHORD_TONES.items() if pattern == found), quality)


def _degrees(quality: str) -> tuple[int, ...]:
    second = {"sus2": 2, "sus4": 4, "7sus4": 4}.get(quality, 3)
    return (1, second, 5, 7)[: len(CHORD_TONES[quality])]
