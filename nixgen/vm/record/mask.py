"""Secrets in the output of a test: every form that a command or a log may print becomes ``***``."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator

__all__ = ["MASK", "Mask"]

MASK = "***"
# A shorter line of a longer value, such as `}`, is in other text as well.
_LEAST_LINE = 4
# Characters that no format quotes. A long run of them is found however the rest is quoted.
_RUN = re.compile(r"[A-Za-z0-9_+/=-]{12,}")


class Mask:
    """Replaces the values of secrets in text. A value of several lines is replaced line by line.

    :param values: the values. Empty for a test without secrets.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._forms = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """Return the text without the values.

        :param text: any text.
        """
        return text if self._forms is None else self._forms.sub(MASK, text)

    def lines(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Return lines without the values.

        :param lines: any lines.
        """
        return tuple(map(self, lines))


def _forms(value: str) -> Iterator[str]:
    """Yield the forms of a value: plain, as text of Python, JSON or a shell, and in base64; its lines,
    and its long runs of letters and digits.
    """
    for text in dict.fromkeys((value, value.rstrip("\r\n"))):
        yield from filter(None, (text, _inner(repr(text)), _inner(json.dumps(text))))
        yield from filter(None, (_inner(json.dumps(text, ensure_ascii=False)),))
        yield from filter(None, (_inner(shlex.quote(text)) if "'" in text else "",))
        yield from filter(None, (base64.b64encode(text.encode()).decode(),))
    yield from (line for line in value.splitlines() if len(line) >= _LEAST_LINE)
    yield from _RUN.findall(value)


def _inner(quoted: str) -> str:
    return quoted[1:-1]
