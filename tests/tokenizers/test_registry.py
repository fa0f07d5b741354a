"""Encodings rebuilt from what a bundle says, true or not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import BundleError
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding, encoding_from


@pytest.mark.parametrize(
    "encoding",
    [
        GridEncoding(),
        GridEncoding(40, 90, 12),
        EventsEncoding(("C4", "0.4.7", "0")),
        EventsEncoding(("C4+E4",), "full"),
    ],
)
def test_a_description_builds_the_same_encoding_again(encoding: Encoding) -> None:
    carried = json.loads(json.dumps(encoding.description()))
    assert encoding_from(carried) == encoding


GRID = {"name": "grid", "low": 48, "high": 83, "steps_per_quarter": 4}
EVENTS = {"name": "events", "chords": "normal-order", "vocabulary": ["C4"]}


@pytest.mark.parametrize(
    "description",
    [
        {},
        [],
        None,
        "grid",
        {"name": "remi"},
        {"name": ["grid"]},
        {**GRID, "low": "48"},
        {**GRID, "low": True},
        {**GRID, "low": 48.0},
        {**GRID, "low": None},
        {**GRID, "low": -(10**30)},
        {**GRID, "high": 10**30},
        {**GRID, "steps_per_quarter": 0},
        {**GRID, "steps_per_quarter": 10**30},
        {**GRID, "step_ticks": 6},
        {"name": "grid", "low": 48},
        {**EVENTS, "vocabulary": []},
        {**EVENTS, "vocabulary": "C4"},
        {**EVENTS, "vocabulary": ["C4", 4]},
        {**EVENTS, "vocabulary": ["C4", "C4"]},
        {**EVENTS, "vocabulary": {"C4": 0}},
        {**EVENTS, "vocabulary": ["H4"]},
        {**EVENTS, "chords": "loud"},
        {**EVENTS, "chords": ["full"]},
        {**EVENTS, "chords": None},
        {"name": "events"},
    ],
)
def test_hostile_descriptions_are_refused_in_one_line(description: Any) -> None:
    with pytest.raises(BundleError) as refused:
        encoding_from(description)
    assert "\n" not in refused.value.text
    assert refused.value.hint


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@settings(deadline=None)
@given(base=st.sampled_from([GRID, EVENTS]), data=st.data())
def test_any_json_value_is_built_or_refused(base: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(base)))
    try:
        encoding = encoding_from({**base, field: data.draw(json_values)})
    except BundleError:
        return
    assert encoding.encode(encoding.decode([0])).tolist() == [0]
