"""Figures and names as people read them: tokens, dollars, shares, times, and names that do nothing to the terminal."""

from __future__ import annotations


def name_text(name: str) -> str:
    """A name that came from elsewhere: what would move the cursor or change colours is a question mark."""
    return name if name.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in name)


def tokens_text(count: int) -> str:
    """`950`, `12.3k`, `4.5M`, `2.1G`."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def dollars_text(usd: float) -> str:
    """`$0.00`, `$0.0012`, `$12.30`: below a cent, its parts are told."""
    if 0 < abs(usd) < 0.00005:
        return "<$0.0001"
    sign = "-" if usd < 0 else ""
    return f"{sign}${abs(usd):.2f}" if usd == 0 or abs(usd) >= 0.01 else f"{sign}${abs(usd):.4f}"


def share_text(share: float | None) -> str:
    """`83 %`, `-` for none."""
    return "-" if share is None else f"{share * 100:.0f} %"


def seconds_text(milliseconds: float | None) -> str:
    """Milliseconds as seconds: `0.42`, `12.3`, `-` for none."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1000
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"
