"""The links of update-alternatives are read out of maintainer scripts, which are not run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_READER = Path(__file__).parents[3] / "nix/bases/debian/alternatives.awk"

SCRIPTS = {
    "slaves": (
        """
        if [ "$1" = configure ]; then
            update-alternatives \\
                --install /bin/nc nc /bin/nc.openbsd 50 \\
                --slave /bin/netcat netcat /bin/nc.openbsd
        fi
        """,
        ["50 /bin/nc /bin/nc.openbsd", "50 /bin/netcat /bin/nc.openbsd"],
    ),
    "a loop over words of a variable": (
        """
        basedir=/usr/lib/jvm/java
        priority=1711
        tools='java
            keytool'
        for i in $tools; do
            update-alternatives --install /usr/bin/$i $i ${basedir}/bin/$i $priority $slave
        done
        """,
        [
            "1711 /usr/bin/java /usr/lib/jvm/java/bin/java",
            "1711 /usr/bin/keytool /usr/lib/jvm/java/bin/keytool",
        ],
    ),
    "loops inside loops": (
        """
        for kind in gtk tiny; do
          for i in vi view
          do
            update-alternatives --install "/usr/bin/$i" $i "/usr/bin/vim.$kind" 15
          done
        done
        """,
        [
            "15 /usr/bin/vi /usr/bin/vim.gtk",
            "15 /usr/bin/view /usr/bin/vim.gtk",
            "15 /usr/bin/vi /usr/bin/vim.tiny",
            "15 /usr/bin/view /usr/bin/vim.tiny",
        ],
    ),
    "what is not registered": (
        """
        # update-alternatives --install /usr/bin/a a /usr/bin/b 1
        update-alternatives --remove a /usr/bin/b
        version=$(touch /run)
        echo "it's --install"
        """,
        [],
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_links_are_read_out_of_a_maintainer_script(name: str) -> None:
    script, links = SCRIPTS[name]
    busybox = shutil.which("busybox")
    assert busybox, "scripts/test installs busybox-static"
    done = subprocess.run(
        [busybox, "awk", "-f", _READER], input=script, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == links
