"""Imports go one way, and starting up stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "nixgen"

#: What each part may import; architecture.md draws the same line. Everything may raise `nixgen.errors`.
PARTS = {"debian", "cache", "kubernetes", "oci", "vm"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "collector": set(),
    "disk": set(),
    "stamp": {"fingerprint"},
    "pushed": set(),
    "reads": set(),
    "gitignore": set(),
    "models": {"collector", "gitignore"},
    "syntax": set(),
    "lowering": {"gitignore", "inputs", "models", "syntax"},
    "sources": {"gitignore", "models"},
    "descriptor": {"models", "jsontext", "schemas"},
    "options": {"models", "collector", "disk", "inputs"},
    "load": {"models", "collector"},
    "jsontext": set(),
    "schemas": {"jsontext"},
    "inputs": {"jsontext", "schemas"},
    "overrides": {"inputs"},
    "fingerprint": set(),
    "render": {"syntax", "disk", "collector"},
    "scaffold": {"render", "disk"},
    "driver": {"disk"},
    **{part: {"driver", "disk"} for part in PARTS},
    "cache": {"driver", "disk", "pushed"},
    "doctor": {"driver", "cache"},
    "shells": {"disk", "driver"},
    "testing": {"driver", "models"},
    "workspace": {
        "disk",
        "inputs",
        "jsontext",
        "load",
        "lowering",
        "models",
        "options",
        "overrides",
        "reads",
        "render",
        "sources",
    },
    "optionlist": {"driver", "inputs", "options", "render", "workspace"},
    "pins": {"debian", "driver", "inputs", "jsontext", "schemas", "workspace"},
    "secretscan": {"workspace", "driver", "cache"},
    "evaluating": {"debian", "driver", "fingerprint", "overrides", "pins", "workspace"},
    "stamping": {"driver", "evaluating", "stamp"},
    "pipeline": {"evaluating", "stamp", "stamping", "workspace", "driver", *PARTS},
    "caching": {"evaluating", "pipeline", "secretscan", "workspace", "driver", "cache"},
    "manifests": {"evaluating", "workspace", "driver", "kubernetes", "lowering", "models"},
    "warming": {"pipeline", "workspace", "driver", "cache"},
    "cli": {
        "pipeline",
        "caching",
        "manifests",
        "warming",
        "secretscan",
        "optionlist",
        "options",
        "pins",
        "pushed",
        "stamp",
        "workspace",
        "shells",
        "doctor",
        "inputs",
        "descriptor",
        "models",
        "scaffold",
        "sources",
        "render",
        "disk",
        "driver",
        *PARTS,
    },
}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] == "nixgen"
        ):
            modules = (
                [node.module]
                if node.module != "nixgen"
                else [f"nixgen.{alias.name}" for alias in node.names]
            )
            names.update(module.split(".")[1] for module in modules if "." in module)
        elif isinstance(node, ast.Import):
            names.update(
                alias.name.split(".")[1] for alias in node.names if alias.name.startswith("nixgen.")
            )
    return names - {"__version__"}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_go_one_way(path: Path) -> None:
    here = part(path)
    if here == "__init__":
        return
    assert here in ALLOWED, f"{here} is a new part: give it a row in ALLOWED"
    assert imported(path) - {here, "errors"} <= ALLOWED[here], (
        f"{here} may import only {sorted(ALLOWED[here])}"
    )


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_starting_up_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['nixgen', *sys.argv[1:]]\n"
        "from nixgen.cli.entry import main\n"
        "main()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert done.stdout
    assert not loaded & {
        "attr",
        "attrs",
        "boto3",
        "botocore",
        "rich",
        "typer",
        "click",
        "jinja2",
        "json",
        "pathlib",
    }


def test_public_names_exist() -> None:
    import importlib

    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        module = importlib.import_module(name)
        public = getattr(module, "__all__", None)
        if public is not None:
            for item in public:
                assert hasattr(module, item), f"{name} has no {item}"
