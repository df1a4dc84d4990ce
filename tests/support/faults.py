"""Assertions about the problems of a project."""

from __future__ import annotations

from nixgen.models import Project, check

__all__ = ["assert_only_fault"]


def assert_only_fault(project: Project, path: str, file: str) -> None:
    """Assert that a project has one problem.

    :param project: Project with the problem.
    :param path: Model path of the problem.
    :param file: File in which the faulty model was written.
    """
    problems = check(project)
    assert [problem.path for problem in problems] == [path], problems
    assert (problems[0].where or "").startswith(f"{file}:")
