"""Load a project: run infra.py and check the `Project` it defines."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path

from nixgen._collector import paused_collector
from nixgen.errors import ModelError, NixgenError, Problem, ProjectLoadError
from nixgen.models import Project, check, forget_misuses, misuses_beside

__all__ = ["INFRA", "load_project"]

#: The file that describes a project.
INFRA = "infra.py"


def load_project(root: Path) -> Project:
    """Run ``root/infra.py`` and return the project it defines, checked.

    infra.py can import modules beside it. The state of nixgen itself stays unchanged.

    :param root: the folder of the project.
    :raises ProjectLoadError: infra.py is missing, broken, or defines no project.
    :raises ModelError: the project has problems. The error has all of them, with places relative to
        ``root``.
    """
    forget_misuses()
    try:
        with paused_collector():
            project = _find(root, _execute(root))
        problems = check(project)
        problems += tuple(misuses_beside(problems))
    finally:
        forget_misuses()
    if problems:
        raise ModelError(
            Problem(found.path, found.message, where=_shorten(found.where, root), hint=found.hint)
            for found in problems
        )
    return project


def _shorten(where: str | None, root: Path) -> str | None:
    return where.removeprefix(f"{root}/") if where else None


@contextlib.contextmanager
def _output_aside() -> Iterator[None]:
    """Send everything that infra.py and its child processes print to standard error.

    Standard output belongs to the result of the command, such as one JSON document.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:  # closed
        saved = None
    try:
        if saved is not None:
            os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)


def _execute(root: Path) -> dict[str, object]:
    path = root / INFRA
    try:
        code = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ProjectLoadError(
            f"there is no {INFRA} in {root}",
            hint="run `nixgen init` to start a project here, or name another folder with --project",
        ) from error
    except OSError as error:
        raise ProjectLoadError(f"cannot read {path}: {error.strerror}") from error
    module = types.ModuleType("infra")
    module.__file__ = str(path)
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    try:
        with _output_aside():
            exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102  # running it is the point
    except NixgenError:
        raise
    except SyntaxError as error:
        file = (error.filename or str(path)).removeprefix(f"{root}/")
        raise ProjectLoadError(
            f"{error.msg}",
            where=f"{file}:{error.lineno}",
            details=[(error.text or "").rstrip()] if error.text else [],
            hint="this is Python: see the line above",
        ) from error
    except (Exception, SystemExit) as error:
        raise _raised(error, root) from error
    finally:
        sys.path.remove(str(root))
        # another project loaded by the same process may have a module of the same name
        for name in set(sys.modules) - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(f"{root}/"):
                del sys.modules[name]
    return module.__dict__


def _raised(error: BaseException, root: Path) -> ProjectLoadError:
    """The error for an exception of infra.py, at the last line of the user in the traceback."""
    where = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(f"{root}/"):
            where = f"{frame.filename.removeprefix(f'{root}/')}:{frame.lineno}"
    return ProjectLoadError(
        f"{INFRA} raised {type(error).__name__}: {error}",
        where=where,
        hint="run again with --debug for the whole traceback",
    )


def _find(root: Path, names: dict[str, object]) -> Project:
    named = names.get("project")
    if isinstance(named, Project):
        return named
    if named is not None:
        raise ProjectLoadError(
            f"`project` in {INFRA} is a {type(named).__name__}, not a Project",
            where=INFRA,
            hint='write project = Project("name", machines=[…])',
        )
    found = [value for value in names.values() if isinstance(value, Project)]
    if len({id(value) for value in found}) == 1:
        return found[0]
    raise ProjectLoadError(
        f"{root / INFRA} defines {'no project' if not found else 'more than one project'}",
        hint='write project = Project("name", machines=[…]) at the top level of the file',
    )
