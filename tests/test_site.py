"""The documentation builds as a site: no broken link, no public name without a docstring."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def test_every_page_is_listed_and_every_listed_page_exists_or_is_written() -> None:
    nav = (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = {path.relative_to(CHECKOUT / "docs").as_posix() for path in (CHECKOUT / "docs").rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md\b", nav)) == pages | {"index.md", "commands.md"}


@pytest.mark.e2e
def test_the_site_builds_and_has_every_public_name(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "commands.html", "api/cantilena.html", "api/cantilena.rules.html"} <= pages
    assert "cantilena.rules.rule.Rule" in (tmp_path / "site" / "api" / "cantilena.rules.html").read_text("utf-8")
