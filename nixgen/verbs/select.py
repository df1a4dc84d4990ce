"""The targets of one kind, for verbs that take no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from nixgen.errors import UsageError

if TYPE_CHECKING:
    from nixgen.project.workspace import Workspace

__all__ = ["select_image", "select_images", "select_tests"]


def select_images(workspace: Workspace, targets: Sequence[str]) -> tuple[str, ...]:
    """The images among the targets of a project.

    :param workspace: the project.
    :param targets: as typed; all images when empty.
    :raises UsageError: a target is no image, or the project has none.
    """
    hint = "name images.NAME, or nothing for all images"
    return _select(workspace, targets, "images", "an image", hint)


def select_image(workspace: Workspace, target: str) -> str:
    """The one image that a target names.

    :param workspace: the project.
    :param target: as typed.
    :raises UsageError: the target is no image, or several.
    """
    first, *others = select_images(workspace, (target,))
    if others:
        raise UsageError(
            f"{target} is {len(others) + 1} images, and only one can run",
            hint=f"name one of {', '.join((first, *others))}",
        )
    return first


def select_tests(workspace: Workspace, targets: Sequence[str]) -> tuple[str, ...]:
    """The tests among the targets of a project.

    :param workspace: the project.
    :param targets: as typed; all tests when empty.
    :raises UsageError: a target is no test, or the project has none.
    """
    return _select(workspace, targets, "tests", "a test", "`nixgen test list` names them")


def _select(
    workspace: Workspace,
    targets: Sequence[str],
    kind: Literal["images", "tests"],
    noun: str,
    hint: str,
) -> tuple[str, ...]:
    chosen = workspace.select(targets or (kind,), kind=kind)
    for attr in chosen:
        if not attr.startswith(f"{kind}."):
            raise UsageError(f"{attr} is not {noun}", hint=hint)
    if not chosen:
        model = noun.rpartition(" ")[2].title()
        raise UsageError(
            f"the project has no {kind}", hint=f"add {model}(…) to Project({kind}=[…])"
        )
    return chosen
