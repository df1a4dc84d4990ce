"""``nixgen k8s render`` on examples/shop, which needs no lock, mirror or package."""

from __future__ import annotations

import json

import pytest
import yaml

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def shop(example):
    return example("shop")


@pytest.fixture
def broken(example):
    """The shop with a kubenix module of its own, whose text is given."""
    nixgen = example("shop")

    def write(module, *, names="NixModule"):
        infra = nixgen.folder / "infra.py"
        text = infra.read_text().replace("from nixgen import (", f"from nixgen import ({names},")
        infra.write_text(
            text.replace('namespace="shop",', 'namespace="shop", modules=[NixModule("k8s.nix")],')
        )
        (nixgen.folder / "k8s.nix").write_text(module)
        return nixgen

    return write


def line_of(nixgen, text):
    lines = (nixgen.folder / "infra.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_yaml_for_kubectl_is_plain_and_complete(shop):
    done = shop("k8s", "render")
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    resources = list(yaml.safe_load_all(done.stdout))
    assert [(each["kind"], each["metadata"]["name"]) for each in resources] == [
        ("Namespace", "shop"),
        ("Service", "api"),
        ("Service", "redis"),
        ("Deployment", "api"),
        ("Deployment", "redis"),
    ]
    (api,) = resources[3]["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each["value"] for each in api["env"]} == {
        "PORT": "8080",
        "REDIS": "redis:6379",
        "TARGET": "World",
    }
    assert api["readinessProbe"] == {"httpGet": {"path": "/healthz", "port": "http"}}
    assert not (shop.folder / "debian.lock.json").exists()
    assert not (shop.folder / ".nixgen").exists()


def test_every_name_of_an_application_prints_the_same(shop):
    whole = shop("k8s", "render").stdout
    assert shop("k8s", "render", "shop").stdout == whole
    assert shop("k8s", "render", "kubernetes.shop", "shop").stdout == whole


def test_an_environment_changes_its_manifests(shop):
    plain = shop("k8s", "render").stdout.splitlines()
    staging = shop("k8s", "render", "--env", "staging").stdout.splitlines()
    assert [pair for pair in zip(plain, staging, strict=True) if pair[0] != pair[1]] == [
        ("          value: World", "          value: staging")
    ]


def test_json_is_one_list_or_one_document(shop):
    listed = json.loads(shop("k8s", "render", "--format", "json").stdout)
    assert (listed["kind"], len(listed["items"])) == ("List", 5)
    document = shop.document("k8s", "render", "--env", "staging")
    assert document["schema"] == "nixgen/manifests/1"
    assert (document["base"], document["environment"]) == ("debian", "staging")
    (application,) = document["applications"]
    assert application["schema"] == "nixgen/kubernetes/1"
    assert [group["name"] for group in application["groups"]] == ["namespaces", "objects"]
    assert document["files"] == {}


def test_files_are_written_when_they_change(shop, tmp_path):
    out = tmp_path / "deep/manifests"
    assert shop("k8s", "render", "--out", out).stdout == f"wrote     {out}/shop.yaml\n"
    text = (out / "shop.yaml").read_text()
    assert text == shop("k8s", "render").stdout
    assert shop("k8s", "render", "--out", out).stdout == f"unchanged {out}/shop.yaml\n"
    staging = shop.document("k8s", "render", "--out", out, "--env", "staging", "--format", "json")
    assert staging["files"] == {f"{out}/shop.json": True}
    assert sorted(file.name for file in out.iterdir()) == ["shop.json", "shop.yaml"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["shp"], 2, ["no application 'shp'", "did you mean shop?"]),
        (["kubernetes.other"], 2, ["no application 'other'", "it has shop"]),
        (["--env", "prod"], 2, ["no environment 'prod'", "it has staging"]),
        (["--base", "nix"], 2, ["no base 'nix'", "debian and nixpkgs"]),
        (["--format", "xml"], 2, ["no format 'xml'", "yaml or json"]),
        (["--out", "/dev/null/x"], 3, ["cannot write /dev/null/x/shop.yaml"]),
    ],
)
def test_unknown_applications_and_formats_are_refused(shop, words, status, says):
    done = shop("k8s", "render", *words, expect=status)
    assert done.stdout == ""
    for each in says:
        assert each in done.stderr


def test_a_project_without_applications_is_refused(example):
    done = example("hello")("k8s", "render", expect=2)
    assert "the project has no applications" in done.stderr
    assert "Application(…)" in done.stderr


def test_an_option_that_the_base_does_not_know_is_refused(broken):
    nixgen = broken("{\n  kubernetes.resources.ingresses.web.spec = { };\n}\n")
    done = nixgen("k8s", "render", expect=1)
    assert done.stdout == ""
    assert "kubernetes.shop" in done.stderr
    assert "`kubernetes.resources.ingresses.web.spec` is not known" in done.stderr
    assert "k8s.nix:2" in done.stderr
    assert f"infra.py:{line_of(nixgen, 'shop = Application(')}" in done.stderr


def test_two_values_for_one_option_are_refused(broken):
    nixgen = broken("{ kubernetes.resources.deployments.api.spec.replicas = 3; }")
    error = nixgen.document("k8s", "render", expect=1)
    assert error["schema"] == "nixgen/error/1"
    assert "3 and 2" in error["message"]
    assert any("k8s.nix:1" in line for line in error["details"])


def test_a_module_of_the_projects_own_is_part_of_it(broken):
    nixgen = broken(
        "{ lib, ... }: { kubernetes.resources.deployments.api.spec.replicas = lib.mkForce 7; }"
    )
    assert "  replicas: 7\n" in nixgen("k8s", "render").stdout
