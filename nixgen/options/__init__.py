"""The options of NixOS, as a list that is committed beside a project, and a project's own values checked against it.

No Nix runs for that. Only what NixOS is certain to refuse is a problem; see docs/design.md.
"""

from nixgen.options.checking import Definition, Findings, check_definitions
from nixgen.options.listing import of_documentation, of_tree
from nixgen.options.stub import FILE, Declaration, Provenance, Stub
from nixgen.options.tree import show

__all__ = [
    "FILE",
    "Declaration",
    "Definition",
    "Findings",
    "Provenance",
    "Stub",
    "check_definitions",
    "of_documentation",
    "of_tree",
    "show",
]
