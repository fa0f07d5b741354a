"""Tables in documents: replace what stands between two marks, and format metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cantilena.metrics.registry import get_metric
from cantilena.reporting.tables import number


def between(text: str, name: str, content: str) -> str:
    """Replace what stands between the marks `<!-- NAME -->` and `<!-- end -->` of a document."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    if not re.search(pattern, text, re.DOTALL):
        raise SystemExit(f"error: there is no mark <!-- {name} -->\nhint: put it back, and <!-- end --> after it")
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", text, count=1, flags=re.DOTALL)


def cell(entry: Mapping[str, Any] | None, metric: str, missing: str = "–") -> str:
    """An entry of results.json as a cell of a Markdown table, with the 95 % interval below the value."""
    if not entry or entry["value"] is None:
        return missing
    words = get_metric(metric)
    bounds = (entry["low"], entry["high"])
    bare = [number(bound, words).removesuffix("\u00a0%") for bound in bounds if bound is not None]
    interval = f"<br><small>{bare[0]} to {bare[1]}</small>" if len(bare) == 2 else ""
    return number(entry["value"], words).replace("\u00a0", " ") + interval
