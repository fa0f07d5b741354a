"""The text of files that do not state their encoding."""

from __future__ import annotations

import pytest

from cantilena.io.notation.text import decoded, plain_text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Für Elise", "utf-8-sig"), ("Für Elise", "utf-16"), ("L'été à Orléans", "latin-1"), ("Mary’s", "cp1252"),
        ("荒城の月", "shift_jis"), ("荒城の月", "euc_jp"), ("ピアノ", "shift_jis"), ("月亮代表我的心", "gbk"),
        ("茉莉花", "big5"), ("아리랑", "euc_kr"), ("Подмосковные вечера", "cp1251"), ("Вечерний звон", "koi8_r"),
    ],
)  # fmt: skip
def test_encodings_that_no_file_states(text, encoding):
    assert decoded(text.encode(encoding)) == text
    tune = f"X:1\nT:{text}\nK:C\nCDEF|\n"
    assert plain_text(tune.encode(encoding)) == tune


def test_bytes_of_no_encoding():
    content = bytes(range(128, 256))
    assert decoded(content) is None
    assert plain_text(content) == content.decode("latin-1")
