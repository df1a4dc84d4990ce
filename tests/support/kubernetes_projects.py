"""Sound projects with applications, for Hypothesis: every field of a workload, with hostile text in the free ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nixgen.models import (
    Application,
    CommandCheck,
    Environment,
    Hardening,
    HttpCheck,
    Image,
    Package,
    Port,
    Project,
    Secret,
    Service,
    TcpCheck,
    User,
    Workload,
)

__all__ = ["ENVIRONMENT", "projects"]

ENVIRONMENT = "prod"

_HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.lists(
        st.sampled_from(["${", "}", "''", '"', "\\", "$", "$(", ")", "A", "\n", " ", "#"]),
        max_size=8,
    ).map("".join),
)
_NAME = st.from_regex(r"[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)
_VARIABLE = st.sampled_from(["A", "B", "_C", "PATH", "STATE_DIRECTORY"])
_LABELS = st.dictionaries(
    st.sampled_from(["tier", "example.org/team"]), st.sampled_from(["", "a", "B.c_d-1"])
)
_PORTS = st.lists(
    st.builds(
        Port,
        st.sampled_from([53, 80, 443, 1024, 8080, 65535]),
        protocol=st.sampled_from(["tcp", "udp"]),
    ),
    max_size=3,
    unique_by=lambda port: (port.number, port.protocol),
)
_USER = st.one_of(
    st.none(),
    st.builds(User, st.just("u"), uid=st.none() | st.integers(1, 9), gid=st.none() | st.integers(0, 9)),
    st.just(User("root")),
)  # fmt: skip


def _hardening(draw: st.DrawFn, user: User | None) -> Hardening:
    if user is None:
        return Hardening()
    return Hardening(
        filesystem=draw(st.sampled_from(["strict", "full", "open"])),
        new_privileges=draw(st.booleans()),
        namespaces=draw(st.booleans()),
        capabilities=["CAP_CHOWN"] if user.name == "root" and draw(st.booleans()) else [],
        system_calls=draw(st.sampled_from([(), ("@system-service",)])),
    )


@st.composite
def _workloads(draw: st.DrawFn, name: str) -> Workload:
    ports = draw(_PORTS)
    tcp = [port for port in ports if port.protocol == "tcp"]
    health: Any = draw(
        st.sampled_from(
            [
                None,
                CommandCheck([Package("redis") / "bin/redis-cli", draw(_HOSTILE)]),
                *((HttpCheck("/x?y=z", port=tcp[0]), TcpCheck(port=tcp[0])) if tcp else ()),
            ]
        )
    )
    user = draw(_USER)
    environment = draw(st.dictionaries(_VARIABLE, _HOSTILE, max_size=3))
    replaced = draw(st.sets(st.sampled_from(sorted(environment)))) if environment else set()
    state = draw(st.sampled_from([None, "data/x"]))
    service = Service(
        name,
        command=[Package("bash").program],
        setup=draw(st.lists(st.just(["/bin/true"]) | st.tuples(st.just(Package("bash").program), _HOSTILE), max_size=2)),
        description=draw(_HOSTILE.map(lambda text: "".join(filter(str.isprintable, text)).strip(" \\"))),
        environment=environment,
        ports=ports,
        health=health,
        user=user,
        hardening=_hardening(draw, user),
        secrets=draw(st.lists(st.sampled_from(["token", "db.password"]), unique=True).map(lambda names: list(map(Secret, names)))),
        state_directory=state,
        runtime_directory=draw(st.sampled_from([None, "run"])),
        restart=draw(st.sampled_from(["on-failure", "always"])),
    )  # fmt: skip
    return Workload(
        service,
        image=Image(name, service=service, tag=draw(st.sampled_from(["latest", "1.2_x"]))),
        replicas=draw(st.integers(0, 1 if state else 5)),
        environment={variable: draw(_HOSTILE) for variable in sorted(replaced)},
        storage=512 if state else None,
        labels=draw(_LABELS),
    )


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """One or two applications, and the environment `ENVIRONMENT`."""
    names = draw(st.lists(_NAME, min_size=1, max_size=4, unique=True))
    workloads = [draw(_workloads(name)) for name in names]
    middle = draw(st.integers(1, len(workloads)))
    namespaces = draw(st.sampled_from([(None, None), ("a", "b"), ("default", "default")]))
    applications = [
        Application(
            f"app-{index}",
            workloads=part,
            namespace=namespaces[index],
            create_namespace=draw(st.booleans()),
            registry=draw(st.sampled_from([None, "registry.example.org:5000/team", "r"])),
            labels=draw(_LABELS),
            kubernetes_version=draw(st.sampled_from(["1.22", "1.29", "1.36"])),
        )
        for index, part in enumerate((workloads[:middle], workloads[middle:]))
        if part
    ]
    declared = sorted({name for each in workloads for name in each.service.environment})
    return Project(
        "p",
        images=[each.image for each in workloads],
        applications=applications,
        environments=[
            Environment(ENVIRONMENT, variables={name: draw(_HOSTILE) for name in declared[:1]})
        ],
    )
