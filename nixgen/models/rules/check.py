"""Every problem of a project, reported at once.

There are two kinds of problem. Faults of one value, which its fields' checks and `Model.faults`
find, are collected in one walk over the models. Rules between models run only when no value has a
fault of its own, so that one mistake is reported as one problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from nixgen._collector import paused_collector
from nixgen.errors import ModelError, Problem
from nixgen.models.checks import CHECK
from nixgen.models.core import MISUSES, Fault, Model
from nixgen.models.project import Project
from nixgen.models.rules import (
    clusters,
    environments,
    kubernetes,
    machines,
    names,
    packages,
    secrets,
)
from nixgen.models.rules.visit import visit_of
from nixgen.models.text import Text

__all__ = ["check", "forget_misuses", "misuses_beside", "require_valid"]

_RULES: tuple[Callable[[Project], Iterator[Problem]], ...] = (
    *names.RULES,
    *machines.RULES,
    *environments.RULES,
    *clusters.RULES,
    *kubernetes.RULES,
    *packages.RULES,
    *secrets.RULES,
)


@paused_collector()
def check(project: Project) -> tuple[Problem, ...]:
    """Collect every problem of a project, in the order of its models. Empty when the project is
    sound.

    :param project: Project to check.
    """
    visit = visit_of(project)
    problems: list[Problem] = []
    for index in visit.suspects:
        value = visit.values[index]
        for fault, content in _own_faults(value):
            problems.append(_problem(visit.path(index), value, fault, content))
    if not problems:
        for rule in _RULES:
            problems.extend(rule(project))
    return tuple(problems)


def misuses_beside(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the wrong arguments of models that are not reported yet: the project does not reach the
    model, or its problem is not in ``problems``.

    A misspelt field is a mistake even in a value that nothing refers to yet.

    :param problems: Problems that are reported already.
    """
    reported = {(problem.where, problem.message) for problem in problems}
    for misuse in MISUSES.values():
        for fault in misuse.faults:
            problem = _problem(type(misuse.model).__name__, misuse.model, fault, None)
            if (problem.where, problem.message) not in reported:
                yield problem


def forget_misuses() -> None:
    """Forget all wrong arguments of models, before another infra.py is run."""
    MISUSES.clear()


def require_valid(project: Project) -> Project:
    """Return the project unchanged when it is sound.

    :param project: Project to check.
    :raises ModelError: the project has problems; the error carries all of them.
    """
    problems = check(project)
    if problems:
        raise ModelError(problems)
    return project


def _own_faults(value: Model) -> list[tuple[Fault, Any]]:
    """Collect the faults of one value: each fault with the content of its field."""
    found: list[tuple[Fault, Any]] = []
    missing: frozenset[str] = frozenset()
    if MISUSES and id(value) in MISUSES:
        misuse = MISUSES[id(value)]
        missing = misuse.missing
        found.extend((fault, None) for fault in misuse.faults)
    for field in attrs.fields(type(value)):
        content = getattr(value, field.name)
        if content is field.default or field.name in missing:
            continue
        check_field = field.metadata.get(CHECK)
        if check_field is not None:
            for suffix, message, hint in check_field(content):
                found.append(((f".{field.name}{suffix}", message, hint), content))
    # rules between fields need fields that are sound
    return found or [(fault, None) for fault in value.faults()]


def _problem(path: str, value: Model, fault: Fault, content: Any) -> Problem:
    suffix, message, hint = fault
    # text() remembers its own line; a value made elsewhere is blamed where it was made
    blamed = content if isinstance(content, Text) and content.origin else value
    where = str(blamed.origin) if blamed.origin else None
    return Problem((path + suffix).lstrip(".") or "project", message, where=where, hint=hint)
