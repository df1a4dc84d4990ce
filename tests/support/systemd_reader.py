"""What systemd makes of unit files and the like, written anew from its manual pages: an oracle for what nixgen writes."""

from __future__ import annotations

import re

__all__ = ["logical_lines", "split", "unescaped", "without_specifiers"]


def logical_lines(text: str) -> list[str]:
    """The lines of a unit file: systemd ends one at LF, CR and NUL, and a backslash at the end continues it."""
    lines: list[str] = []
    continued = False
    for line in re.split("[\r\n\0]", text):
        slashes = len(line) - len(line.rstrip("\\"))
        # of an even number each escapes another
        goes_on = slashes % 2 == 1
        piece = line[:-1] if goes_on else line
        if continued:
            lines[-1] += " " + piece
        else:
            lines.append(piece)
        continued = goes_on
    return [line for line in lines if line.strip() and not line.startswith(("#", ";"))]


def without_specifiers(text: str) -> str:
    """The value of a setting in which ``%`` begins a specifier (systemd.unit(5)); only ``%%`` is expected."""
    pieces = text.split("%%")
    assert not any("%" in piece for piece in pieces), f"{text!r}: a specifier"
    return "%".join(pieces)


def unescaped(text: str) -> str:
    """Text without quotes in which a backslash begins an escape as in C."""
    letters = {"n": "\n", "r": "\r", "t": "\t"}
    return re.sub(
        r"\\(?:x([0-9a-f]{2})|(.))",
        lambda found: chr(int(found[1], 16)) if found[1] else letters.get(found[2], found[2]),
        text,
        flags=re.DOTALL,
    )


def split(line: str, *, variables: bool = True, escapes: bool = True) -> list[str]:
    """systemd's splitting of an ExecStart= line, written anew from systemd.service(5), "Command lines".

    :param variables: whether ``$`` has a meaning, as in commands, and so is doubled.
    :param escapes: whether a backslash begins an escape as in C; otherwise the next character stands for itself, as in
        tmpfiles.d(5) of systemd 252 (seen in a machine).
    """
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at] in " \t\n\r":
            at += 1
            continue
        word, quote = "", ""
        while at < len(line) and (quote or line[at] not in " \t\n\r"):
            character = line[at]
            if character == quote:
                quote = ""
            elif not quote and character in "'\"" and not word:
                quote = character
            elif character == "\\":
                at += 1
                if not escapes:
                    word += line[at]
                elif digits := {"x": 2, "u": 4}.get(line[at]):
                    word += chr(int(line[at + 1 : at + 1 + digits], 16))
                    at += digits
                else:
                    word += {"n": "\n", "r": "\r", "t": "\t"}.get(line[at], line[at])
            elif character == "%" or (character == "$" and variables):
                assert line[at + 1] == character, f"{line!r}: a specifier or variable at {at}"
                word += character
                at += 1
            else:
                is_blank = quote and character == "\t"
                assert is_blank or character >= " ", f"{line!r}: a control character at {at}"
                word += character
            at += 1
        assert not quote, f"{line!r}: an open quote"
        words.append(word)
    return words
