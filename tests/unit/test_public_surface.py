"""Exported names have a docstring that explains the name and each of its arguments."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType, UnionType
from typing import Any

import attrs
import pytest

import nixgen
import nixgen.models
import nixgen.testing

WIDTH = 100
#: First words that leave the reader without the noun that the sentence is about.
_OPENINGS_WITHOUT_A_NOUN = frozenset(
    {"How", "So", "That", "Those", "What", "Where", "Whether", "Which", "Who", "Whom", "Whose"}
)
_PARAMETER = re.compile(r"^:param (\w+):[ \t]*(.*)$", re.MULTILINE)


def exports() -> dict[str, Any]:
    """Each exported class and function by name.

    A union of classes, such as `HealthCheck`, has no docstring of its own and is left out.
    """
    found = {
        **{name: getattr(nixgen, name) for name in nixgen.__all__},
        **{name: getattr(nixgen.testing, name) for name in nixgen.testing.__all__},
        # without a list of its own: whatever its modules list
        **{name: value for name, value in vars(nixgen.models).items() if not name.startswith("_")},
    }
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, UnionType | ModuleType)
    }


def arguments(value: Any) -> tuple[str, ...]:
    """The names that a caller may give, in the order of the signature."""
    if attrs.has(value):
        return tuple(field.alias for field in attrs.fields(value) if field.init)
    if (
        inspect.isclass(value)
        and value.__init__ is object.__init__
        and not hasattr(value, "_fields")
    ):
        return ()  # a class without a constructor of its own
    return tuple(inspect.signature(value).parameters)


def faults(name: str, value: Any) -> Iterator[str]:
    """Each thing that the docstring of an exported name lacks, in words."""
    # not inspect.getdoc: a class without a docstring must not pass with that of its base
    documentation = inspect.cleandoc(value.__doc__ or "")
    # attrs and NamedTuple write a signature where there is no docstring
    if not documentation or documentation.startswith(f"{name}("):
        yield f"{name} has no docstring"
        return
    opening = documentation.split()[0].strip("`:,.")
    if opening in _OPENINGS_WITHOUT_A_NOUN:
        yield f"{name}: the docstring begins with {opening!r}, not with a noun or a verb"
    described = dict(_PARAMETER.findall(documentation))
    for argument in arguments(value):
        if argument not in described:
            yield f"{name}: no :param {argument}:"
    for argument, text in described.items():
        if argument not in arguments(value):
            yield f"{name}: :param {argument}: names no argument"
        elif not text:
            yield f"{name}: :param {argument}: says nothing"
    for line in (value.__doc__ or "").splitlines():
        if len(line) > WIDTH:
            yield f"{name}: longer than {WIDTH} columns: {line.strip()}"


@pytest.mark.parametrize("name", sorted(exports()))
def test_each_exported_name_documents_every_argument(name: str) -> None:
    assert list(faults(name, exports()[name])) == []


def test_an_undocumented_field_is_named_with_its_class() -> None:
    @attrs.frozen
    class Disk:
        """A disk.

        :param size: GiB.
        """

        size: int
        device: str

    assert list(faults("Disk", Disk)) == ["Disk: no :param device:"]


def test_a_param_that_names_no_field_is_reported() -> None:
    @attrs.frozen
    class Disk:
        """A disk.

        :param size: GiB.
        :param speed: MiB per second.
        """

        size: int

    assert list(faults("Disk", Disk)) == ["Disk: :param speed: names no argument"]


def test_a_function_is_read_by_its_signature() -> None:
    def mount(path: str, *options: str) -> None:
        """What is mounted.

        :param path:
        """

    assert list(faults("mount", mount)) == [
        "mount: the docstring begins with 'What', not with a noun or a verb",
        "mount: no :param options:",
        "mount: :param path: says nothing",
    ]


def test_a_class_does_not_pass_with_the_docstring_of_its_base() -> None:
    @attrs.frozen
    class Base:
        """A base."""

    @attrs.frozen
    class Bare(Base):
        size: int

    assert list(faults("Bare", Bare)) == ["Bare has no docstring"]


def subclasses(cls: type) -> Iterator[type]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def test_infra_py_can_import_every_model_and_each_function_that_makes_one() -> None:
    made_by_functions = {
        "Text": {"text"},
        "Property": {"mk_after", "mk_before", "mk_default", "mk_force"},
    }
    classes = {
        cls.__name__
        for cls in subclasses(nixgen.models.Model)
        if cls.__module__.startswith("nixgen.models.") and cls.__name__ not in made_by_functions
    }
    functions = set().union(*made_by_functions.values())
    assert set(nixgen.__all__) == classes | functions | {"read_descriptor"}
    for name in classes | functions:
        assert getattr(nixgen, name) is getattr(nixgen.models, name)


@pytest.mark.parametrize("name", ["walk", "Model", "Servce"])
def test_infra_py_cannot_import_what_is_not_listed(name: str) -> None:
    with pytest.raises(ImportError, match=name):
        exec(f"from nixgen import {name}")


def test_models_are_loaded_when_the_first_is_used() -> None:
    program = (
        "import sys, nixgen; print('nixgen.models' in sys.modules); "
        "nixgen.Machine; print('nixgen.models' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
