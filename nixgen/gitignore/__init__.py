r"""Decide which files git ignores (gitignore(5)), in Python and, with regular expressions, in Nix.

>>> rules = tuple(parse(b"*.log\n!keep.log\nbuild/\n"))
>>> scopes = [Scope(b"", rules)]
>>> is_ignored(scopes, b"app/debug.log", folder=False), is_ignored(scopes, b"keep.log", folder=False)
(True, False)
>>> [rule.posix for rule in rules]
['[^/]*[.]log', 'keep[.]log', 'build/']
"""

from nixgen.gitignore.glob import Glob, InexpressibleError
from nixgen.gitignore.rules import Rule, Scope, decision, is_ignored, parse, parse_pattern
from nixgen.gitignore.table import IgnoreTable

__all__ = [
    "Glob",
    "IgnoreTable",
    "InexpressibleError",
    "Rule",
    "Scope",
    "decision",
    "is_ignored",
    "parse",
    "parse_pattern",
]
