"""Workloads as manifests: escaped text, and the settings that follow from the service."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen import syntax as nix
from nixgen.lowering import lower, needs_packages
from nixgen.lowering.attributes import folded
from nixgen.lowering.identity import identity
from nixgen.lowering.pod import container_names, image_reference, literal, pod
from nixgen.lowering.scope import Scope
from nixgen.models import (
    Application,
    CommandCheck,
    ConfigFile,
    Environment,
    Hardening,
    Image,
    NixModule,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    Text,
    User,
    Workload,
    require_valid,
    text,
)

DOLLARS = st.lists(st.sampled_from(["$", "(", ")", "A", "$(A)", "x"]), max_size=12).map("".join)


def expanded(template: str, variables: dict[str, str]) -> str:
    """Kubernetes' replacing of $(NAME), written anew from its documentation and tests."""
    out, at = "", 0
    while at < len(template):
        rest = template[at:]
        if rest.startswith("$$"):
            out, at = out + "$", at + 2
        elif rest.startswith("$(") and ")" in rest:
            name = rest[2 : rest.index(")")]
            out += variables.get(name, f"$({name})")
            at += len(name) + 3
        else:
            out, at = out + rest[0], at + 1
    return out


@given(DOLLARS)
def test_kubernetes_reads_escaped_text_as_it_was_written(value: str) -> None:
    assert expanded(literal(value), {"A": "replaced"}) == value


def test_a_dollar_is_doubled_only_before_a_dollar_or_a_parenthesis() -> None:
    assert literal("$HOME costs 5$ ${x}") == "$HOME costs 5$ ${x}"
    assert literal("$(HOME) $$") == "$$(HOME) $$$"


@given(st.lists(DOLLARS, min_size=1, max_size=4))
def test_words_with_store_paths_are_escaped(literals: list[str]) -> None:
    """Also where a dollar ends one piece and a parenthesis begins the next."""
    word = Text(parts=(Package("p"), *literals))
    spec = spec_of(Service("s", command=["/s"], health=CommandCheck([word])))
    # the check is what is shared
    (command,) = [item for name, item in spec.shared if name == "exec.command"]
    (shown,) = command.items
    joined = "".join(part if isinstance(part, str) else "/p" for part in shown.parts)
    assert expanded(joined, {"A": "replaced"}) == "".join(["/p", *literals])


class Spec:
    def __init__(self, service: Service, **fields: Any) -> None:
        scope = Scope()
        workload = Workload(service, image=Image(service.name, service=service), **fields)
        self.value = pod(scope, Application("a", workloads=[workload]), workload)
        body = scope.wrap(nix.Null())
        self.shared = [
            pair
            for _, value in (body.bindings.pairs if isinstance(body, nix.Let) else ())
            for pair in (value.expr if isinstance(value, nix.Mark) else value).bindings.pairs
        ]

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.value["containers"].values()
        return dict(container)


def spec_of(service: Service, **fields: Any) -> Spec:
    return Spec(service, **fields)


def test_a_service_without_a_user_runs_as_nobody_without_capabilities() -> None:
    spec = spec_of(Service("s", command=["/s"]))
    assert spec.value["securityContext"] == {
        "fsGroup": 65534,
        "runAsGroup": 65534,
        "runAsUser": 65534,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert spec.value["automountServiceAccountToken"] is False
    assert spec.value["volumes"] == {"tmp": {"emptyDir": {}}}


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        (None, (65534, 65534)),
        (User("a"), (1000, 1000)),
        (User("a", uid=7), (7, 7)),
        (User("a", uid=7, gid=8), (7, 8)),
        (User("root"), (0, 0)),
        (User("toor", uid=0, gid=5), (0, 5)),
    ],
)
def test_a_pod_has_the_user_of_its_image(user: User | None, ids: tuple[int, int]) -> None:
    service = Service("s", command=["/s"], user=user)
    assert identity(service) == ids
    security = spec_of(service).value["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == ids
    assert security.get("runAsNonRoot", False) is (ids[0] != 0)
    project = Project("p", images=[Image("s", service=service)])
    printed = nix.print_file(lower(require_valid(project))["images/s.nix"].make()).text
    assert f'User = "{ids[0]}:{ids[1]}"' in printed


def test_openings_of_hardening_apply_to_containers() -> None:
    opened = Service("s", command=["/s"], user=User("root"), hardening=Hardening.off())
    spec = spec_of(opened)
    assert spec.container["securityContext"] == {"readOnlyRootFilesystem": False}
    assert spec.value["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    given_ = Service(
        "s",
        command=["/s"],
        user=User("root"),
        hardening=Hardening(capabilities=["CAP_CHOWN", "CAP_FOWNER"]),
    )
    assert spec_of(given_).container["securityContext"]["capabilities"] == {
        "add": ["CHOWN", "FOWNER"],
        "drop": ["ALL"],
    }
    nested = Service("s", command=["/s"], user=User("a"), hardening=Hardening(namespaces=True))
    assert spec_of(nested).value["securityContext"]["seccompProfile"] == {"type": "Unconfined"}


def test_low_ports_are_allowed_by_a_setting_of_the_pod() -> None:
    low = Service("s", command=["/s"], ports=[Port(443), Port(80), Port(8080)])
    assert spec_of(low).value["securityContext"]["sysctls"] == {
        "net.ipv4.ip_unprivileged_port_start": {"value": "80"}
    }
    for service in (
        Service("s", command=["/s"], ports=[Port(1024)]),
        Service("s", command=["/s"], ports=[Port(80)], user=User("root")),
    ):
        assert "sysctls" not in spec_of(service).value["securityContext"]


def test_manifests_hold_the_variables_of_plain_text() -> None:
    service = Service(
        "s",
        command=["/s"],
        environment={"A": "a", "B": text("b$${c}"), "SITE": Source("site"), "D": "$(A)"},
        state_directory="x/y",
        runtime_directory="z",
        secrets=[Secret("token")],
    )
    spec = spec_of(service, environment={"A": "other"}, storage=1)
    assert spec.container["env"] == {
        "A": {"value": "other"},
        "B": {"value": "b${c}"},
        "D": {"value": "$$(A)"},
        "CREDENTIALS_DIRECTORY": {"value": "/run/credentials/s.service"},
        "RUNTIME_DIRECTORY": {"value": "/run/z"},
        "STATE_DIRECTORY": {"value": "/var/lib/x/y"},
    }
    assert spec.container["volumeMounts"] == {
        "/tmp": {"name": "tmp"},
        "/run/z": {"name": "runtime"},
        "/var/lib/x/y": {"name": "state"},
        "/run/credentials/s.service": {"name": "credentials"},
    }
    replaced = spec_of(service, environment={"SITE": "/srv"}, storage=1)
    assert replaced.container["env"]["SITE"] == {"value": "/srv"}


def test_a_service_may_replace_a_variable_of_systemd() -> None:
    own = Service(
        "s", command=["/s"], environment={"RUNTIME_DIRECTORY": Source("x")}, runtime_directory="z"
    )
    # the image has it, and nothing here hides it
    assert "env" not in spec_of(own).container


def test_images_without_a_registry_are_never_pulled() -> None:
    service = Service("s", command=["/s"])
    image = Image("api", service=service, tag="1.2")
    workload = Workload(service, image=image)
    local = Application("a", workloads=[workload])
    remote = Application("a", workloads=[workload], registry="registry.example.org:5000/team")
    assert image_reference(local, image) == "localhost/api:1.2"
    assert image_reference(remote, image) == "registry.example.org:5000/team/api:1.2"
    assert pod(Scope(), local, workload)["containers"]["s"]["imagePullPolicy"] == "Never"
    assert "imagePullPolicy" not in pod(Scope(), remote, workload)["containers"]["s"]


def application(service: Service, **fields: Any) -> Project:
    image = Image(service.name, service=service)
    workload = Workload(service, image=image)
    return require_valid(
        Project(
            "p", images=[image], applications=[Application("a", workloads=[workload], **fields)]
        )
    )


@pytest.mark.parametrize(
    ("fields", "packages"),
    [
        ({}, False),
        ({"environment": {"A": Package("x")}}, False),
        ({"health": CommandCheck(["/bin/x"])}, False),
        ({"health": CommandCheck([Package("x").program])}, True),
        ({"setup": [["/bin/x", ConfigFile("c", "")]]}, True),
    ],
)
def test_a_module_takes_packages_only_if_a_manifest_names_one(
    fields: dict[str, Any],
    packages: bool,  # noqa: FBT001
) -> None:
    project = application(Service("s", command=["/s"], **fields))
    assert needs_packages(project.applications[0]) is packages
    printed = nix.print_file(lower(project)["kubernetes/a.nix"].make()).text
    assert printed.startswith("{ kubenix, pkgs, ... }:" if packages else "{ kubenix, ... }:")


def test_an_application_with_a_module_takes_packages() -> None:
    project = application(Service("s", command=["/s"]), modules=[NixModule("k8s/more.nix")])
    assert needs_packages(project.applications[0])
    assert "../../k8s/more.nix" in nix.print_file(lower(project)["kubernetes/a.nix"].make()).text


def test_containers_of_a_pod_have_different_names() -> None:
    setup = [["/bin/a"], ["/bin/b"]]
    for name in ("s", "setup-1", "prepare-1"):
        names = container_names(Service(name, command=["/s"], setup=setup))
        assert len(set(names)) == len(names) == 3
        assert names[0] == name


def test_files_of_setup_are_in_the_image() -> None:
    script, site = ConfigFile("prepare.sh", "true"), Source("site")
    service = Service(
        "s",
        command=["/s"],
        setup=[[Package("bash") / "bin/bash", script], ["/bin/cp", text("${s}/x", s=site)]],
    )
    printed = nix.print_file(lower(application(service))["images/s.nix"].make()).text
    assert "extra = [\n    prepareSh\n    site\n  ];" in printed
    assert "contents = [ pkgs.bash ];" in printed
    plain = Service("s", command=["/s", script])
    assert "extra" not in nix.print_file(lower(application(plain))["images/s.nix"].make()).text


def test_environments_change_only_applications_that_declare_the_variable() -> None:
    loud = Service("loud", command=["/s"], environment={"LEVEL": "1"})
    quiet = Service("quiet", command=["/s"])
    images = {each.name: Image(each.name, service=each) for each in (loud, quiet)}
    project = require_valid(
        Project(
            "p",
            images=list(images.values()),
            applications=[
                Application(each.name, workloads=[Workload(each, image=images[each.name])])
                for each in (loud, quiet)
            ],
            environments=[Environment("prod", variables={"LEVEL": "$(2)"}), Environment("dev")],
        )
    )
    files = lower(project)
    overlay = nix.print_file(files["environments/prod/kubernetes/loud.nix"].make()).text
    assert 'env.LEVEL.value =\n    lib.mkForce "$$(2)"' in overlay
    assert "environments/prod/kubernetes/quiet.nix" not in files
    assert "environments/dev/kubernetes/loud.nix" not in files


def test_a_set_of_one_attribute_is_written_as_a_path() -> None:
    value = {"a": {"b": {"c": 1}}, "d": {"e": 1, "f": {}}, "g": [{"h": {"i": None}}], "j": {}}
    assert nix.print_expr(folded(value)) == (
        "{\n  a.b.c = 1;\n  d = {\n    e = 1;\n    f = { };\n  };\n  g = [ { h.i = null; } ];\n  j = { };\n}"
    )
