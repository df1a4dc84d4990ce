"""Seconds from a project's models to its files on disk. usage: generate.py MACHINES [FOLDER]"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from projects import fleet

from nixgen.lowering import lower
from nixgen.models import require_valid
from nixgen.render import apply, plan, render


def main() -> None:
    project = fleet(int(sys.argv[1]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary) / "generated"
        started = time.perf_counter()
        tree, _ = render(lower(require_valid(project)))
        apply(plan(tree, folder))
        print(time.perf_counter() - started)


main()
