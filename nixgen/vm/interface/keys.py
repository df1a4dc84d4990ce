"""The keys of a US keyboard, by the names that QEMU's ``sendkey`` uses."""

from __future__ import annotations

__all__ = ["key_name"]

_PLAIN = {
    "-": "minus",
    "=": "equal",
    "[": "bracket_left",
    "]": "bracket_right",
    ";": "semicolon",
    "'": "apostrophe",
    "`": "grave_accent",
    "\\": "backslash",
    ",": "comma",
    ".": "dot",
    "/": "slash",
    " ": "spc",
    "\n": "ret",
    "\t": "tab",
}
_SHIFTED = dict(zip('_+{}:"~|<>?!@#$%^&*()', "-=[];'`\\,./1234567890", strict=True))


def key_name(key: str) -> str:
    """The name of the key for a character: ``A`` → ``shift-a``, a space → ``spc``.

    :param key: a character, or a name such as ``ctrl-alt-delete``, which stays as it is.
    """
    if key in _SHIFTED:
        return f"shift-{key_name(_SHIFTED[key])}"
    if len(key) == 1 and key.isalpha() and key.isupper():
        return f"shift-{key.lower()}"
    return _PLAIN.get(key, key)
