"""``nixgen inputs``: check the pins of a project, update them, and lock its Debian packages."""

from nixgen.verbs.inputs.check import Checked, check, check_flake
from nixgen.verbs.inputs.debian_lock import ensure_lock, lock_summary
from nixgen.verbs.inputs.update import Update, require_updatable, update

__all__ = [
    "Checked",
    "Update",
    "check",
    "check_flake",
    "ensure_lock",
    "lock_summary",
    "require_updatable",
    "update",
]
