"""The reader of terminal sessions in docs/ finds commands and files, and sees a line that differs."""

from __future__ import annotations

import pytest
from transcript import Command, File, first_difference, steps

PAGE = """\
```console
$ nixgen list
machines.web  infra.py:16
$ cd hello
```
```python
# app/a.py
print("a")
```
```python
print("no file")
```
"""


def test_commands_and_files_are_read_in_order() -> None:
    assert list(steps(PAGE)) == [
        Command("nixgen list", ("machines.web  infra.py:16",)),
        Command("cd hello", ()),
        File("python", "app/a.py", 'print("a")\n'),
    ]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("3 targets in 31.4 s", "3 targets in 0.5 s"),
        ("built  web  /nix/store/kdk4l4iiqhazjr4ihnxjz0hazp1p7g94-web",
         "built web /nix/store/08zh52xhkz9rdm51nnj2gmqi8n7sggph-web   "),
        ("pushed 56 of 56 paths (1.2 MB, 65.9 kB sent) to s3",
         "pushed 57 of 60 paths (170.8 MB, 1 B sent, 1 of them stored already) to s3"),
        ("boot    web (tcg, software emulation)", "boot    web (kvm)"),
        ("wrote …/web.nix", "wrote generated/machines/web.nix"),
    ],
)  # fmt: skip
def test_times_sizes_hashes_and_ellipses_may_differ(shown: str, printed: str) -> None:
    assert first_difference([shown], ["before", printed, "after"]) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["visit 2"], ["visit 1"]),
        (["built  web"], ["cached web"]),
        (["a", "b"], ["b", "a"]),
        (["a", "a"], ["a"]),
        (["web-image.json"], ["web-image-json"]),
        (["/nix/store/kdk4l4iiqhazjr4ihnxjz0hazp1p7g94-web"],
         ["/nix/store/kdk4l4iiqhazjr4ihnxjz0hazp1p7g94-db"]),
    ],
)  # fmt: skip
def test_a_line_that_the_output_lacks_is_named(shown: list[str], printed: list[str]) -> None:
    assert first_difference(shown, printed) == shown[-1]


def test_lines_of_both_outputs_may_be_mixed() -> None:
    assert first_difference(["a", "x", "b"], ["a", "b"], ["x"]) is None
    assert first_difference(["a", "x", "b"], ["b", "a"], ["x"]) == "b"
