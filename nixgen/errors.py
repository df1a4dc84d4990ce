"""Everything nixgen raises on purpose.

::

    NixgenError
    ├── InputError            exit 2: what the user wrote is wrong
    │   ├── UsageError            a command line that makes no sense
    │   ├── ProjectLoadError      infra.py missing, broken, or defining no project
    │   ├── ModelError            the project's values contradict each other (all problems at once)
    │   ├── FileError             a file that pins or describes something is unreadable, unknown or wrong
    │   │   ├── LockError             flake-inputs.json or a lock
    │   │   └── DescriptorError       machine.json
    │   └── UnprintableError      a value that no Nix expression can say (also a ValueError)
    ├── WorkError             exit 1: the work was done and failed, or a difference was found
    │   ├── StaleError            generated files differ from the models
    │   ├── EvaluationError       Nix could not evaluate the generated tree
    │   ├── BuildError            a derivation failed
    │   ├── TestError             a machine test failed
    │   ├── LeakError             what would be uploaded holds the value of a secret
    │   └── VerifyError           stored bytes are not what was signed or hashed
    └── OutsideError          exit 3: something outside is missing or unreachable
        ├── MissingToolError      a program is not installed
        ├── MirrorError           the Debian mirror, or a file on it
        ├── StoreError            the Nix store, or a disk that is full or read-only
        ├── CacheError            the S3 binary cache
        ├── BuilderError          a remote builder
        └── EngineError           a container engine, registry or QEMU

The CLI is the only place that catches these. Anything else that reaches it is a bug of nixgen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BuildError",
    "BuilderError",
    "CacheError",
    "DescriptorError",
    "EngineError",
    "EvaluationError",
    "FileError",
    "InputError",
    "LeakError",
    "LockError",
    "MirrorError",
    "MissingToolError",
    "ModelError",
    "NixgenError",
    "OutsideError",
    "Problem",
    "ProjectLoadError",
    "StaleError",
    "StoreError",
    "TestError",
    "UnprintableError",
    "UsageError",
    "VerifyError",
    "WorkError",
    "closest",
    "closest_word",
    "counted",
]


class NixgenError(Exception):
    """An expected failure.

    :param message: what happened, one sentence.
    :param hint: what to do next, one sentence or a command.
    :param where: the user's ``file:line`` that it comes from, when known.
    :param details: further lines, such as the tail of a log; printed as they are.
    :param problems: each with a place of its own, where one error tells of several.
    """

    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        details: Iterable[str] = (),
        problems: Iterable[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.details = tuple(details)
        self.problems = tuple(problems)


class InputError(NixgenError):
    exit_status = 2


class UsageError(InputError):
    pass


class ProjectLoadError(InputError):
    pass


class Problem:
    """One fault of a project: where in the model, or which target, where in the user's file, what is wrong.

    :param details: further lines, printed as they are.
    """

    __slots__ = ("details", "hint", "message", "path", "where")

    def __init__(
        self,
        path: str,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        details: Iterable[str] = (),
    ) -> None:
        self.path = path
        self.message = message
        self.where = where
        self.hint = hint
        self.details = tuple(details)

    def __repr__(self) -> str:
        return f"Problem({self.path!r}, {self.message!r}, where={self.where!r})"


class ModelError(InputError):
    """Every problem of a project, in model order."""

    def __init__(self, problems: Iterable[Problem], *, hint: str | None = None) -> None:
        problems = tuple(problems)
        count = len(problems)
        message = f"the project has {count} problem{'' if count == 1 else 's'}"
        super().__init__(message, hint=hint, problems=problems)


class FileError(InputError):
    """A file that pins or describes something; each problem has its place in it."""


class LockError(FileError):
    pass


class DescriptorError(FileError):
    pass


class UnprintableError(InputError, ValueError):
    pass


class WorkError(NixgenError):
    exit_status = 1


class StaleError(WorkError):
    pass


class EvaluationError(WorkError):
    pass


class BuildError(WorkError):
    pass


class TestError(WorkError):
    __test__ = False  # pytest would collect the name


class LeakError(WorkError):
    pass


class VerifyError(WorkError):
    pass


class OutsideError(NixgenError):
    exit_status = 3


class MissingToolError(OutsideError):
    pass


class MirrorError(OutsideError):
    pass


class StoreError(OutsideError):
    pass


class CacheError(OutsideError):
    pass


class BuilderError(OutsideError):
    pass


class EngineError(OutsideError):
    pass


def closest(word: str, known: Iterable[str]) -> str | None:
    """The hint that names the known word most like the given one, or None if no word is alike.

    :param word: the name that somebody wrote.
    :param known: the names that are allowed.
    """
    close = closest_word(word, known)
    return None if close is None else f"did you mean {close}?"


def closest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word most like the given one, or None if no word is alike.

    :param word: the name that somebody wrote.
    :param known: the names that are allowed.
    """
    import difflib  # only for a refusal, and not at every start

    close = difflib.get_close_matches(word, list(known), n=1)
    return close[0] if close else None


def counted(number: int, noun: str) -> str:
    """A number with its noun, for messages: ``1 path``, ``2 paths``.

    :param number: how many.
    :param noun: in the singular; its plural ends in ``s``.
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
