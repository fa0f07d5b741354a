"""How an evaluation measures, in the words of its report."""

from __future__ import annotations

METHOD = (
    "All melodies are put on a grid of sixteenths, at their own pitch, from their first barline on, and cut to one "
    "length. Each is judged in its own key and meter: people's excerpts in the key of their whole piece; others in "
    "the key that their file names, that their model was tuned in, or that the profile of their notes tells "
    "(Krumhansl and Kessler). People's melodies are excerpts of pieces that were held out when the corpus was "
    "split, none overlapping another.",
    "Numbers of a set (different melodies, distinct-n, self-BLEU, Vendi) fall or rise with its size: they are taken"
    " of as many melodies and as many notes of every system. Overlaps are taken of as many melodies as the ceiling "
    "can have, half of people's; in people's column stands that ceiling, people's pieces beside other pieces of "
    "people's.",
    "Differences: whole pieces are dealt out anew at random into two sets as large as those compared, 1,999 times; "
    "p is the share of deals that differ as much or more, and Holm's correction makes all numbers of a pair one "
    "family.",
    "Copies: the longest run of notes that the corpus has too, in any key, by intervals and by the times from note "
    "to note. People's own pieces do not count as copies of themselves. A melody copies more than people do if its "
    "run is longer than that of 95 in 100 of people's excerpts.",
)
"""Paragraphs: what was compared, at what size, how differences were tested, what a copy is."""
