"""``nixgen inputs``: check the pins of a project, update them, and lock its Debian packages."""

from nixgen.documents.inputs import DEBIAN, described
from nixgen.verbs.inputs.check import Checked, check, check_flake
from nixgen.verbs.inputs.debian_lock import ensure_lock, lock_summary
from nixgen.verbs.inputs.update import Update, read_pins, require_updatable, update

__all__ = [
    "DEBIAN",
    "Checked",
    "Update",
    "check",
    "check_flake",
    "described",
    "ensure_lock",
    "lock_summary",
    "read_pins",
    "require_updatable",
    "update",
]
