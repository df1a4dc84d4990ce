"""The line of a module that sets an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from nixgen.driver.evaluate.definitions import definition_line

MODULE = """\
{ config, lib, ... }:
{
  imports = [ ./x.nix ];
  networking.hostName = "web";
  systemd.services.api = {
    environment = {
      PORT = "8080";
    };
    serviceConfig.Restart = "no";
  };
  systemd.services."odd.name".enable = true;
  config = {
    users.users.api.uid = 7;
  };
  users = lib.mkIf true {
    groups = { };
  };
}
"""


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("networking.hostName", 4),
        ("systemd.services.api.environment.PORT", 7),
        ("systemd.services.api.environment", 6),
        ("systemd.services.api.serviceConfig", 9),
        ("systemd.services.api.script", 5),
        ('systemd.services."odd.name".enable', 11),
        ("users.users.api.uid", 13),
        ("users.groups", 16),
        ("boot.loader", None),
        ("networking.hostNames", None),
    ],
)
def test_the_line_that_agrees_with_most_of_the_name_is_found(
    tmp_path: Path, option: str, line: int | None
) -> None:
    file = tmp_path / "module.nix"
    file.write_text(MODULE)
    assert definition_line(str(file), option) == line


def test_a_missing_file_has_no_line(tmp_path: Path) -> None:
    assert definition_line(str(tmp_path / "gone.nix"), "a.b") is None
