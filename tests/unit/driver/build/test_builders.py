"""Remote builders: their models, the lines of the machines file, and the messages of Nix and ssh."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.driver.build.builders import Builders, BuildMachine
from nixgen.driver.build.failures import BuildLog, diagnose
from nixgen.driver.build.report import BuildReport, TargetResult
from nixgen.driver.commands.nix import NixOptions, realise
from nixgen.driver.evaluate import Target
from nixgen.driver.messages import events as nix
from nixgen.driver.messages.events import (
    BuildFailed,
    BuildFinished,
    BuildLine,
    BuildStarted,
)
from nixgen.driver.messages.inference import EventParser
from nixgen.driver.store.store import PathInfo
from nixgen.errors import BuilderError, UsageError
from nixgen.lowering import lower, machine_lines
from nixgen.models import Builder, Project, Secret, check
from nixgen.render import render
from nixgen.testing import ScriptedRunner

RECORDINGS = Path(__file__).parents[2] / "recordings"
# the key of a machine that never was: the form of RFC 8709, and 32 zeros
ED25519 = "ssh-ed25519 " + base64.b64encode(
    b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
).decode()  # fmt: skip
ADDRESS = "ssh-ng://root@127.0.0.1:29222"
BIG = f"# big-1\n{ADDRESS} x86_64-linux /run/key 1 1 - - -"


def builder(**fields: object) -> Builder:
    return Builder(**{"name": "big-1", "host": "builder.example.org", **fields})  # type: ignore[arg-type]


def problems(*builders: Builder) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in check(Project("p", builders=builders))]


# the model


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Big 1"),
        ("name", "all"),
        ("name", "none"),
        ("host", ""),
        ("host", "-oProxyCommand=x"),
        ("host", "a b"),
        ("host", "a;b"),
        ("host", "a/b"),
        ("host", "a\n"),
        ("host", "u@a"),
        ("host", "a:22"),
        ("host", "::1"),
        ("host", "localhost"),
        ("user", "a b"),
        ("user", "-x"),
        ("user", "a@b"),
        ("port", 0),
        ("port", 65536),
        ("port", "22"),
        ("protocol", "http"),
        ("systems", []),
        ("systems", "x86_64-linux"),
        ("systems", ["x86_64-linux,riscv64-linux"]),
        ("systems", ["linux"]),
        ("max_jobs", 0),
        ("max_jobs", True),
        ("speed_factor", 0),
        ("speed_factor", 1.5),
        ("supported_features", ["k vm"]),
        ("supported_features", ["kvm,x"]),
        ("supported_features", ["-"]),
        ("mandatory_features", ["#"]),
        ("mandatory_features", "kvm"),
        ("ssh_key", "key"),
        ("ssh_key", "/a key"),
        ("ssh_key", "/a;b"),
        ("ssh_key", "/a#b"),
        ("ssh_key", "/a\nb"),
        ("ssh_key", 7),
        ("ssh_key", Secret("k", file="/a key")),
        ("host_key", "SHA256:abc"),
        ("host_key", "ssh-ed25519"),
        ("host_key", "ssh-ed25519 !!!!"),
        ("host_key", "ssh-ed25519 AAAA"),
        ("host_key", ED25519.replace("ssh-ed25519", "ssh-rsa", 1)),
        ("host_key", ED25519 + "\n" + ED25519),
        ("host_key", "ssh-dss " + ED25519.split()[1]),
    ],
)
def test_a_wrong_field_of_a_builder_is_refused(field: str, value: object) -> None:
    (found,) = problems(builder(**{field: value}))
    name = value if field == "name" else "big-1"
    assert found[0].startswith(f"builders.{name}.{field}")


def test_all_problems_are_reported_at_once() -> None:
    found = problems(
        builder(host="a b", port=0, systems=["x"], max_jobs=0), Builder("b", host="localhost")
    )
    assert len(found) == 5


def test_two_builders_with_one_name_or_address_are_a_problem() -> None:
    assert problems(builder(), builder(host="other.example.org")) == [
        ("builders[1]", problems(builder(), builder(host="other.example.org"))[0][1])
    ]
    ((path, message),) = problems(builder(), builder(name="big-2", max_jobs=4))
    assert path == "builders.big-2"
    assert "address of the builder 'big-1'" in message
    assert problems(builder(), builder(name="big-2", port=2222)) == []


# the machines file


def test_every_field_has_its_place_in_the_line() -> None:
    full = builder(
        user="nix",
        port=2222,
        systems=["x86_64-linux", "aarch64-linux"],
        max_jobs=8,
        speed_factor=2,
        supported_features=["kvm", "big-parallel"],
        mandatory_features=["kvm", "gpu"],
        ssh_key=Secret("builder"),
        host_key=f"{ED25519} root@builder",
    )
    name, line = machine_lines(Project("p", builders=[full]))
    assert name == "# big-1"
    *words, host_key = line.split(" ")
    assert words == [
        "ssh-ng://nix@builder.example.org:2222",
        "x86_64-linux,aarch64-linux",
        "/run/secrets/builder",
        "8",
        "2",
        "kvm,big-parallel,gpu",
        "kvm,gpu",
    ]
    assert base64.b64decode(host_key).decode() == ED25519, "without its comment"


def test_a_missing_field_is_a_dash() -> None:
    _, line = machine_lines(Project("p", builders=[builder(protocol="ssh")]))
    assert line == "ssh://builder.example.org x86_64-linux - 1 1 - - -"


def test_the_file_exists_only_with_builders_and_has_no_semicolon() -> None:
    assert "builders" not in render(lower(Project("p")))[0]
    text = render(lower(Project("p", builders=[builder()])))[0]["builders"].decode()
    # it separates machines, in comments too
    assert ";" not in text
    assert [(m.name, m.address) for m in Builders.parse(text).machines] == [
        ("big-1", "ssh-ng://builder.example.org")
    ]


# what a machines file could be broken with, and enough of the rest to pass now and then
WORDS = st.text("ab1-.#;,@/ \n\t", max_size=4)


@given(WORDS, WORDS, WORDS, WORDS, st.lists(WORDS, max_size=2))
def test_every_valid_builder_is_one_machine(
    host: str, user: str, key: str, host_key: str, features: list[str]
) -> None:
    given_ = builder(
        host=host,
        user=user,
        ssh_key=f"/{key}",
        host_key=host_key or None,
        supported_features=features,
    )
    project = Project("p", builders=[given_, builder(name="last", port=1)])
    if check(project):
        return
    first, last = Builders.parse("\n".join(machine_lines(project))).machines
    assert (first.name, first.host, first.key) == ("big-1", host, f"/{key}")
    assert last.name == "last"


def test_a_machines_file_written_by_hand_is_read() -> None:
    builders = Builders.parse(
        "# two words\nnix@a.example.org x86_64-linux ; ssh://b x86_64-linux - 4 # c\n\n"
        "\tssh-ng://u@c:44?compress=true   riscv64-linux  /k\n"
    )
    assert [(m.name, m.destination, m.port, m.key) for m in builders.machines] == [
        ("a.example.org", "nix@a.example.org", None, None),
        ("b", "b", None, None),
        ("c", "u@c", 44, "/k"),
    ]
    assert builders.option == (
        "nix@a.example.org x86_64-linux ; ssh://b x86_64-linux - 4 ; "
        "ssh-ng://u@c:44?compress=true riscv64-linux /k"
    )


def test_a_host_key_that_is_not_base64_is_refused() -> None:
    with pytest.raises(UsageError, match="host key of the builder a"):
        Builders.parse("ssh://a x86_64-linux - 1 1 - - AA!A")


def test_builders_are_selected_by_name() -> None:
    both = Builders.parse("# big-1\nssh://a\n# small\nssh://b")
    assert [m.name for m in both.select(["small", "big-1", "small"]).machines] == ["small", "big-1"]
    with pytest.raises(UsageError) as close:
        both.select(["big-2"])
    assert close.value.hint == "did you mean big-1?"
    with pytest.raises(UsageError) as far:
        both.select(["x"])
    assert far.value.hint == "it has big-1, small"
    with pytest.raises(UsageError) as none:
        Builders().select(["all"])
    assert "Project(builders=[…])" in (none.value.hint or "")


# the way there


def test_ssh_gets_a_configuration_for_names_with_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIX_SSHOPTS", "-v")
    key = base64.b64encode(ED25519.encode()).decode()
    builders = Builders.parse(f"ssh-ng://a\nssh-ng://u@b:44 - - - - - - {key}\nssh://c:45")
    with builders.ssh_options() as words:
        verbose, flag, file, *rest = words.split()
        text = Path(file).read_text()
    assert (verbose, flag) == ("-v", "-F")
    assert "-oBatchMode=yes" in rest
    assert text.startswith(
        "Host b:44\n  HostName b\n  Port 44\n  HostKeyAlias b:44\nHost c:45\n  HostName c\n  Port 45\nMatch all\n"
    )
    assert not Path(file).exists()
    with Builders.parse("ssh://a").ssh_options() as plain:
        assert "-F" not in plain
    monkeypatch.setenv("NIX_SSHOPTS", "-F mine")
    with builders.ssh_options() as own:
        assert own.startswith("-F mine -o"), "a configuration of one's own stands"


def test_builders_become_options_of_nix() -> None:
    options = NixOptions(builders="ssh://a", ssh_options="-x")
    command = realise(options, ["/nix/store/x.drv"], jobs=0)
    words = command.argv
    assert words[words.index("builders") + 1] == "ssh://a"
    assert words[words.index("builders-use-substitutes") + 1] == "true"
    assert words[words.index("--max-jobs") + 1] == "0"
    assert command.env == {"NIX_SSHOPTS": "-x"}
    here = NixOptions(builders="").arguments
    assert here[here.index("builders") + 1] == ""
    assert "builders-use-substitutes" not in here
    assert "builders" not in NixOptions().arguments


# the words of ssh and Nix


@pytest.mark.parametrize(
    ("ssh_message", "message"),
    [
        (
            "ssh: connect to host b port 22: Connection refused",
            "cannot be reached: Connection refused",
        ),
        (
            "ssh: connect to host b port 22: Connection timed out",
            "cannot be reached: Connection timed out",
        ),
        ("ssh: connect to host b port 22: No route to host", "cannot be reached: No route to host"),
        ("ssh: Could not resolve hostname b: Name or service not known", "cannot be resolved"),
        ("Host key verification failed.", "unknown host key"),
        ("nix@b: Permission denied (publickey).", "refuses the key, or the user"),
        ("sh: 1: nix-daemon: not found", "has no Nix"),
        ("bash: line 1: nix-store: command not found", "has no Nix"),
        (
            "error: cannot add path '/nix/store/x' because it lacks a valid signature",
            "does not trust the user",
        ),
        (
            "error: cannot add path '/nix/store/x' because it lacks a signature by a trusted key",
            "does not trust the user",
        ),
        ("error: unexpected end-of-file", "closed the connection: unexpected end-of-file"),
        ("error: the moon is full", "failed: the moon is full"),
        ("", "failed"),
    ],
)
def test_every_message_of_ssh_has_a_meaning(ssh_message: str, message: str) -> None:
    machine = BuildMachine.parse("ssh-ng://nix@b:44 x86_64-linux /k", "big-1")
    error = machine.error(
        ["Warning: Permanently added 'b' to the list", ssh_message]
        if not ssh_message
        else [ssh_message]
    )
    assert error.message.startswith("the builder big-1 (b) ")
    assert message in error.message
    assert "ssh -i /k -p 44 nix@b nix-store --version" in (error.hint or "")
    assert error.exit_status == 3


def test_an_unknown_key_of_a_builder_with_a_known_key_has_changed() -> None:
    ssh_message = ["Host key verification failed."]
    known = base64.b64encode(b"ssh-ed25519 AAAA").decode()
    for key, message in (("-", "unknown host key"), (known, "shows another host key")):
        machine = BuildMachine.parse(f"ssh-ng://nix@b:44 x86_64-linux /k 1 1 - - {key}")
        assert message in machine.error(ssh_message).message


def log_of(
    name: str, machines: str = BIG, *, nix_version: str = "2.8"
) -> tuple[BuildLog, list[nix.Event]]:
    log = BuildLog(builders=Builders.parse(machines))
    seen: list[nix.Event] = []
    for line in (RECORDINGS / f"nix-{nix_version}-remote{name}.log").read_bytes().splitlines():
        log.feed(line, seen.append)
    return log, seen


def test_a_recorded_remote_build_is_one_build() -> None:
    """The builder reports the same build again, and its own counts; both are dropped."""
    log, seen = log_of("")
    (started,) = [event for event in seen if isinstance(event, BuildStarted)]
    (finished,) = [event for event in seen if isinstance(event, BuildFinished)]
    assert started == BuildStarted(finished.drv, "big-1")
    assert [event.text for event in seen if isinstance(event, BuildLine)] == ["hi"]
    assert log.machines == {finished.drv: "big-1"}
    assert seen.index(finished) > max(
        index for index, event in enumerate(seen) if isinstance(event, nix.TransferFinished)
    ), "it is over when the output is here"
    last = [event for event in seen if isinstance(event, nix.Progress) and event.what == "builds"][
        -1
    ]
    assert (last.done, last.expected) == (1, 1)


def test_a_derivation_that_fails_remotely_is_at_fault_itself() -> None:
    log, seen = log_of("-failed")
    (failed,) = [event for event in seen if isinstance(event, BuildFailed)]
    assert failed.builder == ""
    (failure,) = diagnosed(log, failed)
    assert failure.reason == "failed with exit code 7"
    assert failure.log == ("oops",)
    assert not isinstance(failure.error, BuilderError)


def test_a_lost_builder_is_at_fault_and_not_the_derivation() -> None:
    log, seen = log_of("-lost")
    (failed,) = [event for event in seen if isinstance(event, BuildFailed)]
    assert failed.builder == ADDRESS
    (failure,) = diagnosed(log, failed)
    assert failure.error.message == (
        "the builder big-1 (127.0.0.1) closed the connection: unexpected end-of-file, building f-lost"
    )
    report = BuildReport(
        results=(TargetResult(target=target(failed), status="failed"),), failures=(failure,)
    )
    assert report.error() is failure.error


def test_a_lost_builder_is_at_fault_for_both_of_its_builds() -> None:
    parser = EventParser()
    drvs = [f"/nix/store/{'0' * 32}-{name}.drv" for name in ("a", "b", "here")]

    def feed(**document: object) -> tuple[nix.Event, ...]:
        return parser.feed(b"@nix " + json.dumps(document).encode())

    for number, (drv, machine) in enumerate(zip(drvs, (ADDRESS, ADDRESS, ""), strict=True)):
        feed(action="start", id=number, level=3, type=105, text="", fields=[drv, machine, 1, 1])
    feed(action="msg", level=0, msg="error: unexpected end-of-file")
    feed(action="msg", level=0, msg="error: writing to file: Broken pipe")
    failed = [
        event
        for drv in drvs
        for event in feed(
            action="msg", level=0, msg=f"error: builder for '{drv}' failed with exit code 1"
        )
        if isinstance(event, BuildFailed)
    ]
    assert [(event.builder, event.reason) for event in failed[:2]] == [
        (ADDRESS, "error: unexpected end-of-file"),
        (ADDRESS, "error: writing to file: Broken pipe"),
    ]
    assert failed[2].builder == ""


def test_an_unusable_builder_is_reported_with_the_message_of_ssh() -> None:
    machines = f"{BIG}\n# gone\nssh-ng://root@127.0.0.1:29223"
    log, seen = log_of("-unusable", machines)
    unavailable = [event for event in seen if isinstance(event, nix.BuilderUnavailable)]
    assert {event.machine for event in unavailable} == {"big-1", "gone"}
    error = log.builder_error()
    assert error is not None
    messages = {error.message, *error.details}
    assert messages == {
        "the builder big-1 (127.0.0.1) shows another host key than the one that is known",
        "the builder gone (127.0.0.1) cannot be reached: Connection refused",
    }
    assert not any("Failed to find" in e.text for e in seen if isinstance(e, nix.Message))


@pytest.mark.parametrize("features", [b"kvm, nixos-test", b"[kvm, nixos-test]"])
def test_a_derivation_that_no_builder_can_build_is_reported(features: bytes) -> None:
    log = BuildLog()
    log.feed(
        b'@nix {"action":"msg","level":1,"msg":"Failed to find a machine for remote build!\\n'
        b"derivation: 7yh7bg52jn847crmxnwip5kwlzl35fyy-vm.drv\\n"
        b"required (system, features): (x86_64-linux, " + features + b')\\n1 available machines:"}',
        lambda _event: None,
    )
    error = log.builder_error()
    assert error is not None
    assert error.message == "no builder can build vm: it needs x86_64-linux with kvm, nixos-test"


def test_a_derivation_that_no_machine_may_build_has_not_failed() -> None:
    """Nix 2.34 reports it like a failure."""
    log, seen = log_of("-unusable", "# gone\nssh-ng://root@127.0.0.1:29223", nix_version="2.34")
    assert not any(isinstance(event, BuildFailed) for event in seen)
    assert any("local builds are disabled" in line for line in log.errors)
    error = log.builder_error()
    assert error is not None
    assert error.message == "the builder gone (127.0.0.1) cannot be reached: Connection refused"


def test_messages_of_ssh_about_one_machine_do_not_blame_another() -> None:
    parser = EventParser()
    connecting = (
        b'@nix {"action":"start","id":1,"level":4,"type":0,"text":"connecting to \'ssh://b\'"}'
    )
    parser.feed(b"ssh: connect to host a port 22: Connection refused")
    parser.feed(connecting)
    parser.feed(b"b: Permission denied (publickey).")
    (event,) = parser.feed(
        b'@nix {"action":"msg","level":0,"msg":"cannot build on \'ssh://b\': error: unexpected end-of-file"}'
    )
    assert event == nix.BuilderUnavailable(
        "ssh://b", ("b: Permission denied (publickey).", "error: unexpected end-of-file")
    )


def target(failed: BuildFailed) -> Target:
    return Target(attr="images.x", drv=failed.drv, outputs={"out": "/nix/store/x"})


class Alone:
    """A store without references."""

    def closure(self, paths: list[str]) -> list[PathInfo]:
        return [
            PathInfo(
                path=path,
                nar_hash="",
                nar_size=1,
                references=(),
                deriver=None,
                signatures=(),
                ca=None,
            )
            for path in paths
        ]


def diagnosed(log: BuildLog, failed: BuildFailed):  # type: ignore[no-untyped-def]
    return diagnose(
        log,
        [target(failed)],
        runner=ScriptedRunner([]),
        options=NixOptions(),
        store=Alone(),  # type: ignore[arg-type]
    )
