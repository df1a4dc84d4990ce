"""The same generated files, read by the real NixOS."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs]

# Every option of docs/contracts.md §2, in one module.
SUBSET = """
  { config, lib, pkgs, name, nodes, ... }:
  {
    imports = [ { systemd.services.api.environment.LATER = "imported"; } ];
    environment.etc."api.conf" = { text = "port = 1"; mode = "0644"; user = "root"; group = "root"; };
    environment.systemPackages = [ pkgs.hello ];
    environment.variables.EDITOR = lib.mkForce "true";
    networking.firewall.allowedTCPPorts = [ 80 ];
    networking.firewall.allowedUDPPorts = [ 53 ];
    networking.firewall.enable = true;
    networking.hosts."127.0.0.2" = [ "db" "cache" ];
    system.stateVersion = "25.11";
    systemd.services.api = {
      after = [ "network.target" ];
      before = [ "late.target" ];
      bindsTo = [ "a.service" ];
      conflicts = [ "b.service" ];
      description = "machine ${name}";
      documentation = [ "https://example.org/" ];
      environment = { PORT = "8080"; GONE = null; PACKAGE = pkgs.hello; };
      partOf = [ "c.service" ];
      path = [ pkgs.hello ];
      postStart = "true";
      preStart = "true";
      requiredBy = [ "d.target" ];
      requires = [ "e.service" ];
      restartIfChanged = false;
      script = "exec hello ${toString (builtins.length (builtins.attrNames nodes))}";
      serviceConfig = { Restart = "always"; RestartSec = 5; DynamicUser = true; ReadOnlyPaths = [ "/a" "/b" ]; };
      unitConfig.StartLimitBurst = 3;
      wantedBy = [ "multi-user.target" ];
      wants = [ "f.service" ];
    };
    systemd.tmpfiles.rules = [ "d /srv 0755 root root -" ];
    users.groups.api = { gid = 1500; members = [ "api" ]; };
    users.users.api = {
      createHome = true; description = "API"; extraGroups = [ "video" ]; group = "api"; home = "/srv/api";
      isSystemUser = true; uid = 1500;
    };
  }
"""


def unit(derivations, service):
    return derivations[f"unit-{service}.service.drv"]["env"]["text"].splitlines()


def test_a_machine(tree):
    drv = tree.instantiate(
        'base.machine { name = "web"; modules = [ (generated + "/machines/web.nix") ]; }'
    )
    assert "nixos-system-web-" in drv
    assert 'Environment="TARGET=World"' in unit(tree.derivations(drv), "api")


def test_an_environment_is_laid_over_a_machine(tree):
    drv = tree.instantiate("""
        base.machine {
          name = "web";
          modules = [ (generated + "/machines/web.nix") (generated + "/environments/staging/web.nix") ];
        }
    """)
    assert 'Environment="TARGET=staging"' in unit(tree.derivations(drv), "api")


def test_the_whole_subset(tree):
    drv = tree.instantiate(f'base.machine {{ name = "box"; modules = [ ({SUBSET}) ]; }}')
    lines = unit(tree.derivations(drv), "api")
    assert {
        "Description=machine box",
        'Environment="LATER=imported"',
        'Environment="PORT=8080"',
        "ReadOnlyPaths=/a",
        "ReadOnlyPaths=/b",
        "RestartSec=5",
        "StartLimitBurst=3",
    } <= set(lines)
    assert not any("GONE" in line for line in lines)


def test_two_values_for_one_option_are_an_error(tree):
    message = tree.fails("""
        base.machine {
          name = "web";
          modules = [ { networking.hostName = "a"; } { networking.hostName = "b"; } ];
        }
    """)
    assert "networking.hostName" in message


def test_a_test(tree):
    drv = tree.instantiate("""
        base.test {
          name = "smoke";
          modules = [
            (generated + "/tests/smoke.nix")
            { nodes.web.imports = [ (generated + "/environments/staging/web.nix") ]; }
          ];
        }
    """)
    assert drv.endswith("-vm-test-run-smoke.drv")
    assert 'Environment="TARGET=staging"' in unit(tree.derivations(drv), "api")


def test_a_test_whose_script_reads_its_nodes(tree):
    drv = tree.instantiate("""
        base.test {
          name = "ports";
          modules = [ {
            nodes.one-1 = { name, ... }: { networking.firewall.allowedTCPPorts = [ 7 ]; environment.etc.me.text = name; };
            testScript = { nodes, ... }:
              "# ${toString ((nodes.one-1.config or nodes.one-1).networking.firewall.allowedTCPPorts)}";
          } ];
        }
    """)
    scripts = [found["env"].get("testScript", "") for found in tree.derivations(drv).values()]
    assert "# 7" in scripts


def test_an_image(tree):
    drv = tree.instantiate(
        'import (generated + "/images/api.nix") { nixgen = base; inherit (base) pkgs; }'
    )
    found = tree.derivations(drv)["api-image.json.drv"]
    attributes = json.loads(found["env"]["__json"])
    image = attributes["image"]
    assert image["schema"] == "nixgen/image/1"
    assert (image["architecture"], image["os"], image["tag"]) == ("amd64", "linux", "latest")
    assert image["config"]["Entrypoint"][0].endswith("/bin/node")
    assert image["root"] in attributes["exportReferencesGraph"]["closure"]


def test_images_and_tests_are_linux(tree):
    for what, arguments in (
        ("images", '{ name = "a"; tag = "b"; config = { }; }'),
        ("tests", '{ name = "a"; modules = [ ]; }'),
    ):
        message = tree.fails(f"base.{what[:-1]} {arguments}", system="x86_64-darwin")
        assert f"there are no {what} of x86_64-darwin, only of Linux" in message


def test_packages_by_another_name(tree):
    names = '{ "greeter" = "hello"; "deep" = "python3Packages.requests"; }'
    assert "-hello-" in tree.instantiate("base.pkgs.greeter", package_names=names)
    assert "-requests-" in tree.instantiate("base.pkgs.deep", package_names=names)
    message = tree.fails("base.pkgs.none", package_names='{ "none" = "python3Packages.no-such"; }')
    assert 'nixpkgs has no "python3Packages.no-such"' in message
