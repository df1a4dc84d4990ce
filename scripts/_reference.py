"""Write the reference of the Python interface to a folder, as pages that need no network.

pdoc reads the docstrings and draws the frame; the templates in docs/reference/ draw what a reader of
infra.py looks for: a table of the arguments of each model, with links between the types.

usage: scripts/reference [DIR]        DIR is build/reference when it is not given
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shutil
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, ForwardRef, Literal, get_args, get_origin

import pdoc
import pdoc.docstrings
import pdoc.render
import pdoc.render_helpers
from attrs import frozen
from markupsafe import Markup

REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATES = REPOSITORY / "docs/reference"
MODULES = ("nixgen", "nixgen.models", "nixgen.testing")

#: Characters of a heading; of a longer sentence its beginning has to do.
_LONGEST = 45

_FIELD = re.compile(
    r"^:(param|returns?|raises?)(?: ([\w.]+))?:((?:.|\n(?!\n|:\w))*)\n?", re.MULTILINE
)
_REFERENCE = re.compile(r"<code>([A-Za-z_][\w.]*)(\(\))?</code>")


@frozen
class Parameter:
    """A row of the table below a class or function.

    :param name: the argument.
    :param kind: its type, as HTML.
    :param default: its default as Python writes it; empty when the argument must be given.
    :param text: its ``:param``, as HTML.
    """

    name: str
    kind: Markup
    default: str
    text: Markup


@frozen
class Entry:
    """A documented name.

    :param kind: ``class``, ``function``, ``method``, ``property``, or ``alias`` for a union of types.
    :param parameters: its arguments; for a union none.
    :param text: the docstring above the fields, as HTML.
    :param outcome: what it returns and raises: (word, HTML).
    :param methods: public methods with a docstring.
    """

    name: str
    qualname: str
    kind: str
    parameters: tuple[Parameter, ...]
    text: Markup
    outcome: tuple[tuple[str, Markup], ...]
    methods: tuple[Entry, ...] = ()


@frozen
class Group:
    """Entries of one module, under the first sentence of its docstring."""

    title: str
    text: Markup
    entries: tuple[Entry, ...]

    @property
    def anchor(self) -> str:
        return re.sub(r"\W+", "-", self.title.lower())


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0] if arguments else REPOSITORY / "build/reference")
    write(folder)
    print(f"wrote {folder / 'index.html'}")


def write(folder: Path) -> None:
    """Write the pages; the folder may exist."""
    nixgen = importlib.import_module("nixgen")
    for name in nixgen.__all__:  # they are loaded when first used, which pdoc does not wait for
        setattr(nixgen, name, getattr(nixgen, name))
    pdoc.render.configure(
        docformat="restructuredtext",
        template_directory=TEMPLATES,
        show_source=False,
        search=False,  # the index knows pdoc's own members, and not these tables
        footer_text=f"nixgen {nixgen.__version__}",
    )
    pdoc.render.env.globals |= {"about": about, "groups": groups, "elsewhere": elsewhere}
    shutil.rmtree(folder, ignore_errors=True)
    wanted = [word for name in MODULES for word in (name, rf"!{name}\..*")]
    pdoc.pdoc(*wanted, output_directory=folder)


# --- what is documented, and where


def exported(module: Any) -> list[str]:
    """The names that a module lists, or else those that it imports and defines."""
    own = [name for name, value in vars(module).items() if not inspect.ismodule(value)]
    return getattr(module, "__all__", sorted(name for name in own if not name.startswith("_")))


@cache
def addresses() -> Mapping[int, str]:
    """The page and anchor of each documented object, by ``id``."""
    found: dict[int, str] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        page = f"{name.replace('.', '/')}.html"
        for each in exported(module):
            found.setdefault(id(getattr(module, each)), f"{page}#{each}")
    return found


def about(module: pdoc.doc.Module) -> Markup:
    """The docstring of a module, as HTML."""
    return html(inspect.getdoc(module.obj) or "", page_of(module))


def page_of(module: pdoc.doc.Module) -> str:
    return f"{module.fullname.replace('.', '/')}.html"


def elsewhere(module: pdoc.doc.Module) -> list[tuple[str, str]]:
    """(name, link) of what a module exports and another page documents."""
    page = page_of(module)
    names = [(each, addresses()[id(getattr(module.obj, each))]) for each in exported(module.obj)]
    return [(each, relative(page, link)) for each, link in names if not link.startswith(f"{page}#")]


def groups(module: pdoc.doc.Module) -> list[Group]:
    """What a module exports, by the module that defines it, the project first."""
    page = page_of(module)
    by_module: dict[str, list[str]] = {}
    for each in exported(module.obj):
        value = getattr(module.obj, each)
        if addresses()[id(value)] == f"{page}#{each}":
            by_module.setdefault(home(value) or module.fullname, []).append(each)
    order = [*reading_order(), *sorted(by_module)]
    return [
        group(name, by_module[name], module.obj, page)
        for name in dict.fromkeys(order)
        if name in by_module
    ]


def home(value: Any) -> str | None:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) and name.startswith("nixgen") else None


def group(name: str, names: Iterable[str], module: Any, page: str) -> Group:
    text = inspect.getdoc(importlib.import_module(name)) or ""
    first = " ".join(text.partition("\n\n")[0].split())
    title, colon, rest = first.partition(": ")
    if not colon:
        title, _, rest = first.partition(". ")
    if len(title) > _LONGEST:
        title, rest = re.split(r"[,;] (?:which|and) |; ", title)[0], first
    entries = tuple(entry(each, getattr(module, each), page) for each in names)
    if name == module.__name__:  # the page itself begins with this docstring
        return Group("Defined here", Markup(), entries)
    return Group(title.rstrip("."), html(rest[:1].upper() + rest[1:], page), entries)


@cache
def reading_order() -> list[str]:
    """The modules of the models, in the order in which a reader meets them from `Project` on."""
    models = importlib.import_module("nixgen.models")
    found, waiting = dict[str, None](), deque([models.Project])
    seen = {models.Project}
    while waiting:
        model = waiting.popleft()
        found[model.__module__] = None
        words = " ".join(
            str(each.annotation) for each in inspect.signature(model).parameters.values()
        )
        for word in re.findall(r"\w+", words):
            value = getattr(models, word, None)
            for each in get_args(value) or (value,):
                if (
                    inspect.isclass(each)
                    and home(each)
                    and each not in seen
                    and issubclass(each, models.Model)
                ):
                    seen.add(each)
                    waiting.append(each)
    return list(found)


# --- one name


def entry(name: str, value: Any, page: str, qualname: str | None = None) -> Entry:
    qualname = qualname or name
    if not (inspect.isclass(value) or callable(value)):
        members = union(get_args(value), page)
        return Entry(name, qualname, "alias", (), Markup(f"<p>One of {members}.</p>"), ())
    above, fields = parsed(inspect.getdoc(value) or "")
    texts = {word: text for kind, word, text in fields if kind == "param"}
    rows = tuple(
        Parameter(
            each.name,
            type_of(each.annotation, value, page),
            default_of(each),
            html(texts.get(each.name, ""), page),
        )
        for each in parameters(value)
    )
    outcome = [
        ("returns" if kind.startswith("return") else f"raises {word}", html(text, page))
        for kind, word, text in fields
        if kind != "param"
    ]
    methods = tuple(methods_of(value, name, page)) if inspect.isclass(value) else ()
    kind = "class" if inspect.isclass(value) else "function"
    return Entry(name, qualname, kind, rows, html(above, page), tuple(outcome), methods)


def parameters(value: Any) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(value).parameters.values())
    except ValueError:
        return []
    return [each for each in found if each.name not in {"self", "cls"}]


def methods_of(model: type, name: str, page: str) -> Iterator[Entry]:
    for word, value in vars(model).items():
        function = getattr(value, "__func__", getattr(value, "fget", value))
        if word.startswith("_") or not inspect.isfunction(function) or not inspect.getdoc(function):
            continue
        if hasattr(importlib.import_module("nixgen.models").Model, word):
            continue  # what every model has is explained there
        found = entry(word, function, page, f"{name}.{word}")
        kind = "property" if isinstance(value, property) else "method"
        yield Entry(word, found.qualname, kind, found.parameters, found.text, found.outcome)


def default_of(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return ""
    if home(type(default)):  # a model with its own defaults
        return f"{type(default).__name__}()"
    return "empty" if default in ((), {}) else repr(default)


def parsed(docstring: str) -> tuple[str, list[tuple[str, str, str]]]:
    """The text beside the fields, and the fields: (kind, word behind it, text).

    A field ends at the next one, or at a blank line.
    """
    fields = [(found[1], found[2] or "", found[3].strip()) for found in _FIELD.finditer(docstring)]
    return _FIELD.sub("", docstring), fields


# --- text and types as HTML


def html(text: str, page: str) -> Markup:
    """A docstring as HTML, with links for the names that are documented."""
    text = re.sub(r"::\n", ":\n", inspect.cleandoc(text))
    text = re.sub(r"\n[ ]+", lambda found: found[0] if found[0].count(" ") >= 4 else "\n", text)
    markdown = pdoc.docstrings.convert(text, "restructuredtext", None)
    made = str(pdoc.render_helpers.to_html(markdown))
    return Markup(_REFERENCE.sub(lambda found: reference(found, page), made))


def reference(found: re.Match[str], page: str) -> str:
    address = address_of(
        found[1].rpartition(".")[2] if found[1].startswith("nixgen.") else found[1]
    )
    if address is None:
        return found[0]
    return f'<a href="{relative(page, address)}">{found[0]}</a>'


def address_of(name: str) -> str | None:
    for module in map(importlib.import_module, MODULES):
        if name in exported(module):
            return addresses()[id(getattr(module, name))]
    return None


def relative(page: str, address: str) -> str:
    return "../" * page.count("/") + address


def type_of(annotation: Any, owner: Any, page: str) -> Markup:
    """A type in words: ``ListOf[Port]`` is a list of `Port`."""
    if annotation is inspect.Parameter.empty:
        return Markup("")
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    words = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    scope = vars(importlib.import_module(home(owner) or "nixgen"))
    return Markup(shown(ast.parse(words, mode="eval").body, scope, page))


def shown(node: ast.expr, scope: Mapping[str, Any], page: str) -> str:
    match node:
        case ast.BinOp(left, ast.BitOr(), right):
            return f"{shown(left, scope, page)} or {shown(right, scope, page)}"
        case ast.Subscript(ast.Name("ListOf" | "Many" | "Iterable" | "Sequence" | "list"), inner):
            return f"list of {shown(inner, scope, page)}"
        case ast.Subscript(ast.Name("Converted"), ast.Tuple([_, taken])):
            return shown(taken, scope, page)
        case ast.Subscript(ast.Name("Mapping"), ast.Tuple([key, value])):
            return f"dict from {shown(key, scope, page)} to {shown(value, scope, page)}"
        case ast.Subscript(ast.Name("tuple"), ast.Tuple([inner, ast.Constant(value=v)])) if (
            v is ...
        ):
            return f"tuple of {shown(inner, scope, page)}"
        case ast.Subscript(ast.Name("Literal"), values):
            return escape(ast.unparse(values))
        case ast.Name(name):
            return named(name, scope.get(name), page)
    return escape(ast.unparse(node))


def named(name: str, value: Any, page: str) -> str:
    if get_origin(value) is Literal:
        return " or ".join(f"<code>{escape(repr(each))}</code>" for each in get_args(value))
    if (address := address_of(name)) is not None:
        return f'<a href="{relative(page, address)}">{name}</a>'
    if get_args(value):
        return union(get_args(value), page)
    return name


def union(members: Iterable[Any], page: str) -> str:
    return " or ".join(named(each.__name__, each, page) for each in members)


if __name__ == "__main__":
    main(sys.argv[1:])
