"""Rules for the fields of documents, written beside the type: ``size: Annotated[int,
at_least(1)]``.

Give a type whose rule has a lambda a name outside the class: ``_Even = Annotated[int, Rule(lambda
…)]``. Annotations are evaluated as text, where a lambda cannot see the names of its module.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from attrs import frozen

__all__ = ["ABSENT", "Rule", "Text", "at_least", "between", "matching", "named"]

NAME: Final = "nixgen.records.name"


@frozen
class Rule:
    """A condition on a value whose type is already right.

    :param holds: returns something true for a value that is accepted.
    :param what: completes the sentence "expected …", such as ``a size in bytes``.
    """

    holds: Callable[[Any], object]
    what: str


def matching(pattern: str | re.Pattern[str], what: str) -> Rule:
    """Accept a string that a regular expression matches as a whole.

    :param pattern: the regular expression.
    :param what: completes the sentence "expected …".
    """
    return Rule(re.compile(pattern).fullmatch, what)


def at_least(low: int, what: str = "a whole number") -> Rule:
    """Accept a number from ``low`` on.

    :param low: the smallest number accepted.
    :param what: the noun of the error message.
    """
    return Rule(lambda value: value >= low, f"{what} of at least {low}")


def between(low: int, high: int) -> Rule:
    """Accept a number from ``low`` to ``high``, both included.

    :param low: the smallest number accepted.
    :param high: the largest number accepted.
    """
    return Rule(lambda value: low <= value <= high, f"a whole number from {low} to {high}")


def named(name: str) -> dict[str, str | None]:
    """Metadata of an attrs field whose JSON member is not its name in camel case.

    :param name: of the member: ``diff_id: str = field(metadata=named("diff_id"))``.
    """
    return {NAME: name}


#: Metadata of an attrs field that is not in the document. The field needs a default.
ABSENT: Final[dict[str, str | None]] = {NAME: None}

#: A string of at least one character.
Text = Annotated[str, Rule(bool, "a non-empty string")]
