"""Where text stands in markdown: what is shown as code is an example, not a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Markdown:
    """The state behind a piece of text: `blank` when the line has nothing on it, odd `ticks` inside a code span."""

    blank: bool = True
    ticks: int = 0
    fenced: bool = False

    def after(self, text: str) -> Markdown:
        """The state when `text`, in which no block of code opens or closes, has been said too."""
        if not text:
            return self
        _, line_break, line = text.rpartition("\n")
        if line_break:
            return Markdown(not line.strip(), line.count("`"), self.fenced)
        if not self.blank and "`" not in line:
            return self
        return Markdown(self.blank and not line.strip(), self.ticks + line.count("`"), self.fenced)

    @property
    def is_code(self) -> bool:
        """Inside a block or a span of code."""
        return self.fenced or self.ticks % 2 == 1

    def after_example(self, text: str) -> Markdown:
        """The state behind `text`, which is a call, and in a block of code when it begins with a fence."""
        if not text.startswith("```"):
            return self.after(text)
        body = text.rstrip()
        closed = len(body) > 5 and body.endswith("```")
        return Markdown(blank="\n" in text[len(body) :], ticks=0, fenced=not closed)

    def toggled(self) -> Markdown:
        """The state behind a fence."""
        return Markdown(blank=False, ticks=0, fenced=not self.fenced)


class CodeLines:
    """Follows text line by line, for those who need not know what opens a block of code before its line has ended."""

    def __init__(self) -> None:
        self._fenced = False
        self._lead = ""
        self._ticks = 0

    def add(self, text: str) -> None:
        """This has been said, too."""
        if "\n" not in text and "`" not in text and len(self._lead) == 3:
            return
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if number:
                if self._lead == "```":
                    self._fenced = not self._fenced
                self._lead = ""
                self._ticks = 0
            if len(self._lead) < 3:
                self._lead = (self._lead + line).lstrip()[:3]
            self._ticks += line.count("`")

    @property
    def is_blank(self) -> bool:
        """Whether the line has nothing on it."""
        return not self._lead

    @property
    def is_code(self) -> bool:
        """Inside a block or a span of code, or on the line that opens a block."""
        return self._fenced or self._lead == "```" or self._ticks % 2 == 1
