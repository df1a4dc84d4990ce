"""Machines with services, users, networks and files, for Hypothesis: sound, and readable by both bases."""

from __future__ import annotations

from hypothesis import strategies as st

from nixgen.models import (
    Boot,
    ConfigFile,
    Hardening,
    Interface,
    Machine,
    Network,
    Package,
    Port,
    Service,
    TmpfilesRule,
    User,
    text,
)

__all__ = ["machines"]

_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.lists(
        st.sampled_from(["${", "}", "''", '"', "\\", "$", "%", "\n", " ", "#", ";", "x"]),
        max_size=8,
    ).map("".join),
)
_NAME = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True).map("x{}".format)
_VARIABLE = st.from_regex(r"X[A-Z0-9_]{0,5}", fullmatch=True)
_BASH = Package("bash")
_WORD = st.one_of(_TEXT, _TEXT.map(lambda it: text("${b}/${t}", b=_BASH, t=text(_literal(it)))))


def _literal(plain: str) -> str:
    return plain.replace("${", "$${")


@st.composite
def _services(draw: st.DrawFn, number: int) -> Service:
    own = draw(st.booleans())
    return Service(
        f"{draw(_NAME)}-{number}",
        command=[_BASH / "bin/bash", *draw(st.lists(_WORD, max_size=3))],
        setup=draw(st.lists(st.just([_BASH / "bin/true"]), max_size=2)),
        description=draw(st.from_regex(r"[A-Za-z ]{0,12}", fullmatch=True).map(str.strip)),
        environment=draw(st.dictionaries(_VARIABLE, _WORD, max_size=3)),
        ports=draw(
            st.lists(
                st.builds(
                    lambda port, protocol, public: Port(
                        port * 10 + number, protocol=protocol, public=public
                    ),
                    st.integers(1, 900),
                    st.sampled_from(["tcp", "udp"]),
                    st.booleans(),
                ),
                max_size=3,
                unique_by=lambda port: (port.number, port.protocol),
            )
        ),
        user=User(f"user-{number}", uid=draw(st.sampled_from([None, 5000 + number])))
        if own
        else None,
        state_directory=draw(st.sampled_from([None, f"state-{number}"])),
        restart=draw(st.sampled_from(["on-failure", "always", "no"])),
        hardening=draw(
            st.builds(
                Hardening,
                filesystem=st.sampled_from(["strict", "full", "system", "open"]),
                home=st.booleans(),
                devices=st.booleans(),
                shared_tmp=st.booleans(),
                new_privileges=st.booleans(),
                kernel=st.booleans(),
                namespaces=st.booleans(),
                realtime=st.booleans(),
                write_execute=st.booleans(),
                capabilities=st.lists(st.sampled_from(["CAP_CHOWN", "CAP_KILL"]), unique=True),
                address_families=st.lists(st.sampled_from(["AF_INET", "AF_UNIX"]), unique=True),
                system_calls=st.lists(st.sampled_from(["@system-service", "~ptrace"]), unique=True),
            )
            if own
            else st.just(Hardening())
        ),
    )


@st.composite
def _networks(draw: st.DrawFn) -> Network:
    return Network(
        interfaces=[
            Interface(
                f"eth{number}",
                addresses=draw(
                    st.lists(
                        st.sampled_from([f"10.{number}.0.5/16", f"fd00:{number}::5/64"]),
                        unique=True,
                    )
                ),
                dhcp=draw(st.sampled_from([None, True, False])),
                mtu=draw(st.sampled_from([None, 1400])),
            )
            for number in range(draw(st.integers(0, 2)))
        ],
        gateways=draw(st.sampled_from([[], ["10.0.0.1"], ["10.0.0.1", "fd00::1"]])),
        nameservers=draw(st.lists(st.sampled_from(["10.0.0.3", "fd00::3"]), unique=True)),
        domain=draw(st.sampled_from([None, "example.org"])),
        search=draw(st.lists(st.sampled_from(["example.org", "example.net"]), unique=True)),
        hosts=draw(
            st.dictionaries(
                st.sampled_from(["10.0.0.8", "fd00::8"]),
                st.lists(_NAME, min_size=1, max_size=2, unique=True),
                max_size=2,
            )
        ),
        firewall=draw(st.booleans()),
    )


@st.composite
def machines(draw: st.DrawFn, name: str = "m") -> Machine:
    services = [draw(_services(number)) for number in range(draw(st.integers(0, 3)))]
    return Machine(
        name,
        services=services,
        packages=draw(st.lists(st.just(_BASH), max_size=1)),
        users=draw(
            st.lists(
                st.builds(
                    lambda user, system, description: User(
                        f"own-{user}", system=system, description=description
                    ),
                    _NAME,
                    st.booleans(),
                    st.from_regex(r"[A-Za-z ]{0,8}", fullmatch=True),
                ),
                max_size=2,
                unique_by=lambda user: user.name,
            )
        ),
        files={
            path: ConfigFile(path, content)
            for path, content in draw(st.dictionaries(_NAME, _WORD, max_size=2)).items()
        },
        tmpfiles=draw(
            st.lists(
                st.builds(
                    lambda path, argument: TmpfilesRule(
                        f"/srv/{path}", type="f", argument=argument
                    ),
                    st.text("ab %\"'\\", min_size=1, max_size=5),
                    # control characters are refused: they would end the line
                    st.one_of(
                        st.none(), _TEXT.map(lambda it: "".join(filter(str.isprintable, it)))
                    ),
                ),
                max_size=2,
            )
        ),
        network=draw(st.one_of(st.none(), _networks())),
        boot=draw(
            st.one_of(
                st.none(),
                st.builds(
                    Boot,
                    kernel_parameters=st.lists(st.sampled_from(["quiet", "x=1"]), unique=True),
                    kernel_modules=st.lists(st.sampled_from(["dummy", "veth"]), unique=True),
                    sysctl=st.dictionaries(
                        st.sampled_from(["vm.swappiness", "net.ipv4.ip_forward"]),
                        st.one_of(st.booleans(), st.integers(0, 100), st.just("1")),
                        max_size=2,
                    ),
                ),
            )
        ),
        options=draw(
            st.dictionaries(
                st.sampled_from(
                    ["environment.variables.NIXGEN", 'environment.etc."own-file".text']
                ),
                _TEXT,
                max_size=2,
            )
        ),
    )
