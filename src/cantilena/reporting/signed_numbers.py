"""Rewards and penalties as a person reads them: always with their sign."""

from __future__ import annotations


def signed(value: float) -> str:
    """To a hundredth, with a typographic minus.

    Example:
        >>> signed(3.0), signed(-0.375), signed(-1234.5), signed(0.0), signed(1e-4)
        ('+3', '−0.38', '−1,234.5', '0', '+0.0001')
    """
    return _with_sign(
        value, f"{abs(value):,.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else f"{abs(value):.1g}"
    )


def short(value: float) -> str:
    """In as few letters as can stand under a note.

    Example:
        >>> short(3.0), short(-0.375), short(-1234.5), short(12.25), short(0.001)
        ('+3', '−0.4', '−1234', '+12', '+0')
    """
    size = abs(value)
    return _with_sign(value, f"{size:.0f}" if size >= 9.95 else f"{size:.1f}".removesuffix(".0"))


def plain(value: float) -> str:
    """As `signed`, with the minus that terminals and other programs know.

    Example:
        >>> plain(-0.375)
        '-0.38'
    """
    return signed(value).replace("−", "-")


def _with_sign(value: float, size: str) -> str:
    return f"+{size}" if value > 0 else f"−{size}" if value < 0 else "0"
