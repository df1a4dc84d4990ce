"""Foundations of every model: the place where the user wrote it, and checks that report faults
instead of raising.

A constructor that raised would show a user one fault per run. Therefore fields carry their checks
as data, constructors accept any value, and `nixgen.models.rules.check` runs all the checks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    NamedTuple,
)

import attrs

from nixgen.errors import closest, closest_word

__all__ = ["Model", "Origin", "caller"]

#: Suffix of the model path, message and hint.
Fault = tuple[str, str, str | None]

_PACKAGE = __name__.partition(".")[0]
_INSIDE = _PACKAGE + "."


class Origin(NamedTuple):
    """A line of the user's own file. It is a tuple, because one is made for every model and tuples
    are cheap.

    :param file: Absolute path of the file.
    :param line: Line number, counted from 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def caller(above: int = 2) -> Origin | None:
    """Find the nearest stack frame outside nixgen and outside the code that attrs generates. None
    when there is no such frame.

    :param above: Number of inner frames to skip, 2 unless given: the caller knows that they belong
        to nixgen.
    """
    frame = sys._getframe(above)  # noqa: SLF001  # inspect.stack() reads every source file; this costs microseconds
    while frame is not None:
        file = frame.f_code.co_filename
        module = frame.f_globals.get("__name__", "")
        if not (file.startswith("<attrs") or module.startswith(_INSIDE) or module == _PACKAGE):
            return Origin(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]  # the outermost frame ends the loop
    return None


@attrs.frozen(eq=False)
class Misuse:
    """A call of a model class whose arguments do not fit the class.

    :param model: Value that was made in spite of the wrong arguments, so that the rest of infra.py
        can run.
    :param faults: Faults, one for each wrong argument.
    :param missing: Names of the required fields that were not given. They hold None, which needs no
        check.
    """

    model: Model
    faults: tuple[Fault, ...]
    missing: frozenset[str]


#: Misuses by the identity of the model. Empty unless an infra.py has such a mistake.
MISUSES: dict[int, Misuse] = {}


def _misuse(
    cls: type, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[list[Fault], dict[str, Any], frozenset[str]]:
    """Compute the faults of a call, the arguments to call with instead, and the fields without a
    value.
    """
    fields = [field for field in attrs.fields(cls) if field.init]
    by_place = [field.name for field in fields if not field.kw_only]
    by_name = [field.name for field in fields if field.kw_only]
    faults: list[Fault] = []
    arguments = dict(zip(by_place, given, strict=False))
    for value in given[len(by_place) :]:
        hint = f"give it by its name: {' or '.join(f'{name}=…' for name in by_name)}"
        faults.append(("", f"has no place for {excerpt(value)}", hint if by_name else None))
    known = [field.name for field in fields]
    for name, value in named.items():
        if name in arguments:
            faults.append((f".{name}", "is given twice: by its place, and by its name", None))
        elif name in known:
            arguments[name] = value
    for name, value in named.items():
        if name in known:
            continue
        hint = closest(name, known) or f"there are {', '.join(known)}"
        faults.append((f".{name}", f"is not a field of {cls.__name__}", hint))
        # one mistake is one problem: the field that was meant is not missing
        meant = closest_word(name, known)
        if meant is not None:
            arguments.setdefault(meant, value)
    missing = frozenset(
        field.name
        for field in fields
        if field.default is attrs.NOTHING and field.name not in arguments
    )
    faults.extend((f".{name}", "is missing", f"give {name}=…") for name in known if name in missing)
    return faults, {**arguments, **dict.fromkeys(missing)}, missing


if TYPE_CHECKING:
    import inspect

    _ModelClass = type
else:
    # bound once: `super()` costs as much as the rest of the call
    _make = type.__call__

    class _ModelClass(type):
        """The metaclass of models. It makes a model of wrong arguments, too, and records a `Misuse`.

        A TypeError would end infra.py at its first misspelt field, so a user would see one mistake
        per run.
        """

        def __call__(cls, *given: Any, **named: Any) -> Any:
            try:
                return _make(cls, *given, **named)
            except TypeError:
                faults, arguments, missing = _misuse(cls, given, named)
                if not faults:  # raised elsewhere, such as by a generator that was given
                    raise
            value = _make(cls, **arguments)
            MISUSES[id(value)] = Misuse(value, tuple(faults), missing)
            return value

        @property
        def __signature__(cls) -> inspect.Signature:
            """The signature of the class, for `help` and editors."""
            import inspect

            whole = inspect.signature(cls.__init__)
            return whole.replace(parameters=[*whole.parameters.values()][1:])


@attrs.frozen(eq=False)
class Model(metaclass=_ModelClass):
    """The base of all models. Two models are equal only when they are the same object."""

    #: True when a collection addresses the model by its name: ``machines.web``, but ``ports[0]``.
    addressed_by_name: ClassVar[bool] = False

    origin: Origin | None = attrs.field(init=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        # above: `caller`, this method, `__init__` and `_ModelClass.__call__`
        object.__setattr__(self, "origin", caller(4))

    def faults(self) -> Iterator[Fault]:
        """Yield the faults of this value alone that concern more than one of its fields."""
        yield from ()


def at(value: Model) -> str | None:
    """Format the place where the user wrote a model, for messages. None when it is unknown.

    :param value: Model to locate.
    """
    return str(value.origin) if value.origin else None


def excerpt(value: Any) -> str:
    """Write a value for a message, cut to 60 characters.

    :param value: Value to write.
    """
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write more than 4,300 digits of a number
        return f"a {type(value).__name__} with too many digits to write"
    return text if len(text) <= 60 else text[:57] + "…"
