"""A machine with as many hostile texts as it can hold, and what its programs must read.

The machine holds one copy of a few models for each change of `hostile.CHANGES`, and in a copy every
text that the models accept so has that change. Beside them are copies with marks in the same places.
Whatever is read of a hostile copy must be what is read of a marked one, with the hostile text where
the mark is, and nothing else may differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from hostile import AFTER, CHANGES, MARK, Place, harmless, hostile, places, put, unmarked

from nixgen.lowering.scope import Scope
from nixgen.lowering.tests import _derived
from nixgen.models import (
    Boot,
    CommandCheck,
    ConfigFile,
    Environment,
    FileSystem,
    Hardening,
    HttpCheck,
    Machine,
    Network,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    Test,
    TmpfilesRule,
    User,
    text,
)
from nixgen.models.rules.check import check
from nixgen.models.rules.visit import visit_of

__all__ = [
    "ENVIRONMENT",
    "SETTINGS",
    "UNREAD",
    "Evidence",
    "Plan",
    "evidence",
    "machine_project",
    "read_copies",
]

#: Settings of a kernel that hold any text. Their old values are lost with the machine.
SETTINGS = ("kernel.core_pattern", "kernel.modprobe", "kernel.poweroff_cmd", "kernel.domainname")
#: The environment that the test is built for.
ENVIRONMENT = "hostile"

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX"
_GUEST = Path(__file__).parent.parent / "vm/hostile"
_BASH = Package("bash")
_PYTHON = Package("python3")
_TOOLS = Source("tools")
_RUN = _TOOLS / "run"
_RECORD = _TOOLS / "record"


def _script(name: str) -> ConfigFile:
    program = text("#!${python}/bin/python3\n", python=_PYTHON)
    lines = (_GUEST / f"{name}.py").read_text()
    return ConfigFile(name, attrs.evolve(program, parts=(*program.parts, lines)), executable=True)


_HEALTH = "/etc/hostile-health"
_ROOT = User("root")


def _script(name: str) -> ConfigFile:
    """A program of the test itself that runs in the machine."""
    program = text("#!${python}/bin/python3\n", python=_PYTHON)
    lines = (_GUEST / f"{name}.py").read_text()
    return ConfigFile(name, attrs.evolve(program, parts=(*program.parts, lines)), executable=True)


@attrs.define
class Copy:
    """One copy of the models.

    :param token: Name in all names of the copy, so that its traces can be told from those of others.
    :param number: Number of the copy.
    :param changes: Number of a place → number of the change of `CHANGES` that it has.
    :param marked: Whether the places have marks instead.
    :param kind: Models that the copy has: ``host`` most of them, ``settings`` a machine with settings of
        the kernel only, ``words`` a health check with a word for each change.
    :param twin: Token of the copy with marks that this one is compared with.
    """

    token: str
    number: int
    changes: dict[int, int] = attrs.Factory(dict)
    marked: bool = False
    kind: str = "host"
    twin: str = ""

    def project(self) -> Project:
        """The models, changed."""
        project = {"host": self._host, "settings": self._settings, "words": self._words}[
            self.kind
        ]()
        for place in places(project):
            if place.number in self.changes:
                change = CHANGES[self.changes[place.number]]
                new = harmless(change, place.number) if self.marked else hostile(change)
                place.change(new)
        visit_of.cache_clear()
        return project

    def _settings(self) -> Project:
        boot = Boot(sysctl=dict.fromkeys(SETTINGS, "value"))
        return Project("settings", machines=[Machine(self.token, boot=boot)])

    def _words(self) -> Project:
        words = [f"word{number}" for number in range(len(CHANGES))]
        service = Service(
            f"{self.token}-main",
            command=[_RUN, *words],
            health=CommandCheck([_HEALTH, self.token, *words]),
            user=_ROOT,
            hardening=Hardening.off(),
        )
        return Project("words", machines=[Machine("host", services=[service])])

    def _host(self) -> Project:
        token, number = self.token, self.number
        main = Service(
            f"{token}-main",
            command=[_RUN, "word", "", text("--root=${p} x", p=_BASH), text("${p} -x", p=_BASH)],
            setup=[[_RECORD, "word", text("a${p}b", p=_BASH)]],
            description=f"{token} is described",
            environment={
                "VALUE": "value",
                "TEXT": text("${p}:x", p=_BASH),
                f"{token}_PLACE".upper(): "here",
            },
            ports=[Port(20000 + number, name="web")],
            health=HttpCheck(f"/{token}/path", contains=f"{token} answers"),
            packages=[_BASH],
            secrets=[Secret(f"{token}-secret", file=f"/srv/{token}/secret")],
            user=User(
                f"{token}-user",
                home=f"/srv/{token}/home",
                groups=["wheel"],
                description="person",
                shell="/bin/sh",
                authorized_keys=[f"{_KEY} {token}"],
            ),
            working_directory=f"/srv/{token}/work",
            state_directory=f"{token}/state",
            runtime_directory=f"{token}-main",
            hardening=attrs.evolve(
                Hardening.off(), filesystem="full", writable=[f"/srv/{token}/writable"]
            ),
        )
        host = Machine(
            "host",
            services=[main],
            files={
                f"hostile/{token}.txt": ConfigFile(f"{token}.txt", "content"),
                f"hostile/{token}.text": ConfigFile(f"{token}.text", text("${p} content", p=_BASH)),
            },
            tmpfiles=[
                TmpfilesRule(
                    f"/srv/{token}/folder",
                    mode="0750",
                    user=f"{token}-user",
                    group=f"{token}-user",
                    age="10d",
                ),
                TmpfilesRule(f"/srv/{token}/file", type="f", argument="argument"),
                TmpfilesRule(f"/srv/{token}/link", type="L+", argument="/srv/argument"),
            ],
            network=Network(
                hosts={f"10.1.{number // 200}.{number % 200 + 1}": [f"{token}.example"]}
            ),
            # a dot, because the kernel takes but few words for its first program
            boot=Boot(kernel_parameters=[f"{token}.x=value"]),
            file_systems=[
                FileSystem(
                    f"/mnt/{token}", device=f"/dev/disk/by-label/{token}", options=["noatime"]
                )
            ],
            swap=[f"/dev/disk/by-label/{token}"],
            options={
                f'environment.etc."hostile/{token}.option".text': "content",
                f"environment.variables.{token.upper()}": "value",
            },
        )
        variables = {f"{token}_PLACE".upper(): "there"}
        return Project(
            "copy",
            machines=[host],
            environments=[Environment(ENVIRONMENT, variables=variables)],
            tests=[Test("read", machines=[host], script="")],
        )


#: Texts in a language of their own, in which some of the changes have a meaning: paths of options, settings of
#: the kernel with wildcards, accounts and ages of tmpfiles.d(5) with prefixes.
_OWN_LANGUAGE = {
    "Boot.sysctl (name)",
    "Machine.options (name)",
    "TmpfilesRule.age",
    "TmpfilesRule.group",
    "TmpfilesRule.user",
}


def _is_fixed(place: Place) -> bool:
    """Whether a text is the test's own: it must exist, or names what is looked at."""
    model = place.model
    if isinstance(model, Package | Source | Test) or model in {_RUN, _RECORD}:
        return True
    if place.name in _OWN_LANGUAGE:
        return True
    return place.name == "CommandCheck.command" and place.way[0] < 2


def _change_of(place: Place, changes: Sequence[int]) -> int | None:
    """The change of one place of a copy. None when the place keeps its text.

    :param changes: Changes of the copy: one for all places, or one for each place of a kind.
    """
    if _is_fixed(place):
        return None
    if place.name == "Boot.sysctl":
        at = SETTINGS.index(place.way[0])
    elif place.name in {"CommandCheck.command", "Service.command"} and len(changes) > len(SETTINGS):
        at = int(re.sub("[^0-9]", "", str(getattr(place.model, place.field)[place.way[0]])))
    else:
        at = 0
    return changes[at] if at < len(changes) else None


@attrs.define
class Plan:
    """All copies, and what became of each change.

    :param copies: Copies with hostile texts, and those with marks.
    :param refused: Name of a place → number of a change → words of the check.
    :param own_language: Names of places that take some change, and no mark: their few characters
        are a language of the format, such as the types of tmpfiles.d(5).
    """

    copies: list[Copy]
    refused: dict[str, dict[int, str]]
    own_language: list[str]

    @classmethod
    def make(cls) -> Plan:
        """Find out what the models accept."""
        plan = cls([], {}, [])
        after = range(len(AFTER))
        before = range(len(AFTER), len(CHANGES))
        for side, changes in enumerate((after, before)):
            # a second one with marks shows what differs between two copies anyway
            twins = [
                Copy(f"copy{number}", number, marked=True, twin=f"copy{900 + 10 * side}")
                for number in (900 + 10 * side, 901 + 10 * side)
            ]
            plan._add(
                [Copy(f"copy{each:03}", each) for each in changes],
                [[each] for each in changes],
                twins,
            )
            groups = [
                changes[at : at + len(SETTINGS)] for at in range(0, len(changes), len(SETTINGS))
            ]
            twin = Copy(f"set{900 + side}", 900 + side, marked=True, kind="settings")
            sets = [Copy(f"set{group[0]:03}", group[0], kind="settings") for group in groups]
            plan._add(sets, groups, [twin])
        hostile_words, *marked_words = (
            Copy(f"copy{number}", number, kind="words", marked=number > 800)
            for number in (800, 801, 802)
        )
        plan._add([hostile_words], [range(len(CHANGES))], marked_words)
        return plan

    def _add(self, copies: list[Copy], changes: Sequence[Sequence[int]], twins: list[Copy]) -> None:
        for copy, each in zip(copies, changes, strict=True):
            self._accept(copy, each)
        self._mark(twins, copies)
        for copy in (*copies, *twins):
            copy.twin = twins[0].token
            # of some changes nothing is accepted
            if copy.changes:
                self.copies.append(copy)

    def _accept(self, copy: Copy, changes: Sequence[int]) -> None:
        """Change all texts of a copy that the models accept."""
        project = copy.project()
        for place in places(project):
            change = _change_of(place, changes)
            if change is None:
                continue
            undo = place.change(hostile(CHANGES[change]))
            visit_of.cache_clear()
            if problems := check(project):
                undo()
                self.refused.setdefault(place.name, {}).setdefault(change, problems[0].message)
            else:
                copy.changes[place.number] = change

    def _mark(self, marked: list[Copy], copies: list[Copy]) -> None:
        """Give marks to the copies of one side, in the places that some other copy has changed."""
        changes = {number: change for copy in copies for number, change in copy.changes.items()}
        project = marked[0].project()
        for place in places(project):
            if place.number not in changes:
                continue
            undo = place.change(harmless(CHANGES[changes[place.number]], place.number))
            visit_of.cache_clear()
            if check(project):
                undo()
                self.own_language.append(place.name)
                for copy in copies:
                    copy.changes.pop(place.number, None)
            else:
                for twin in marked:
                    twin.changes[place.number] = changes[place.number]

    def to_json(self) -> str:
        return json.dumps([attrs.asdict(copy) for copy in self.copies])


def read_copies(file: Path) -> list[Copy]:
    """The copies of a plan that `Plan.to_json` wrote."""
    return [
        Copy(
            **{
                **each,
                "changes": {int(number): change for number, change in each["changes"].items()},
            }
        )
        for each in json.loads(file.read_text())
    ]


def machine_project(copies: list[Copy]) -> Project:
    """One project with all copies: a machine that boots, and machines for settings of the kernel."""
    hosts = []
    sets = []
    variables: dict[str, Any] = {}
    for copy in copies:
        project = copy.project()
        (machine,) = project.machines
        if copy.kind == "settings":
            sets.append(Machine(copy.token, boot=machine.boot))
        else:
            hosts.append(machine)
            for environment in project.environments:
                variables.update(environment.variables)
    services = [service for machine in hosts for service in machine.services]
    make = _make(services)
    # one after the other: a computer without KVM cannot start a hundred at a time
    for before, service in zip((make, *services), services, strict=False):
        put(service, "depends_on", (before,))
    answers = ConfigFile(
        "answers.json",
        json.dumps(
            {
                service.ports[0].number: service.health.contains
                for service in services
                if isinstance(service.health, HttpCheck)
            }
        ),
    )
    serve = Service(
        "hostile-serve", command=[_script("serve"), answers], user=_ROOT, hardening=Hardening.off()
    )
    host = Machine(
        "host",
        services=[make, serve, *services],
        packages=[Package("curl"), Package("procps"), _BASH],
        files={
            "hostile-health": ConfigFile(
                "health", (_GUEST / "tools/health").read_text(), executable=True
            ),
            "hostile-collect": _script("collect"),
            **_merged(machine.files for machine in hosts),
        },
        tmpfiles=[rule for machine in hosts for rule in machine.tmpfiles],
        network=Network(
            hosts=_merged(machine.network.hosts for machine in hosts if machine.network)
        ),
        boot=Boot(
            kernel_parameters=[
                word for machine in hosts if machine.boot for word in machine.boot.kernel_parameters
            ]
        ),
        file_systems=[each for machine in hosts for each in machine.file_systems],
        swap=[each for machine in hosts for each in machine.swap],
        options=_merged(machine.options for machine in hosts),
        memory=1536,
        cores=2,
    )
    return Project(
        "hostile",
        machines=[host, *sets],
        environments=[Environment(ENVIRONMENT, variables=variables)],
        tests=[
            Test(
                "read",
                machines=[host, *sets],
                script=_test_script(host),
                secrets={
                    secret: f"secret of {secret.path}"
                    for service in services
                    for secret in service.secrets
                },
            )
        ],
    )


def _merged(dicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for each in dicts for key, value in each.items()}


def _make(services: list[Service]) -> Service:
    """A service that makes the folders that others need before they start."""
    folders = [
        *(service.working_directory for service in services if service.working_directory),
        *(path.lstrip("+-") for service in services for path in service.hardening.writable),
    ]
    data = ConfigFile("make.json", json.dumps(folders))
    return Service(
        "hostile-make",
        setup=[[_script("make"), data]],
        command=[_RUN],
        user=_ROOT,
        hardening=Hardening.off(),
    )


def _test_script(host: Machine) -> str:
    """The script that nixgen derives from the machine, and then the collector."""
    derived = "".join(map(str, _derived(Scope(), Test("derived", machines=[host]))))
    # each takes a second without KVM, and the last unit starts after all others
    checks = re.sub(
        r"(    )host\.wait_for_(unit|open_port)\(.*\)\n",
        r"\1pass\n",
        derived.replace("start_all()", ""),
    )
    last = host.services[-1].name
    keys = " ".join(SETTINGS)
    return "\n".join(
        (
            "host.start()",
            f'host.wait_for_unit("{last}.service")',
            'host.wait_for_unit("hostile-serve.service")',
            "host.wait_for_open_port(20000)",
            checks,
            f'host.succeed("/etc/hostile-collect {keys} > /tmp/read.json")',
            'host.copy_from_vm("/tmp/read.json")',
        )
    )


#: Texts that no program of a virtual machine reads: its disks are not the real ones.
UNREAD = frozenset(
    {
        "FileSystem.device",
        "FileSystem.fs_type",
        "FileSystem.mount_point",
        "FileSystem.options",
        "Machine.swap",
    }
)


@attrs.define
class Evidence:
    """What the programs of the machine read.

    :param wrong: Differences from what must be read, in words.
    :param readers: Name of a place → programs that read its texts, and nothing for a text that no
        program reads.
    """

    wrong: list[str] = attrs.Factory(list)
    readers: dict[str, set[str]] = attrs.Factory(dict)


def evidence(copies: list[Copy], read: Mapping[str, str]) -> Evidence:
    """Compare each hostile copy with the marked one of its side.

    :param copies: Copies of the machine.
    :param read: What the collector read: place → text.
    """
    read = {_nameless(key): _nameless(value) for key, value in read.items()}
    found = Evidence()
    for twin in (copy for copy in copies if copy.marked and copy.twin == copy.token):
        group = [copy for copy in copies if copy.twin == twin.token and copy is not twin]
        expected = _traces(read, twin.token)
        _note_readers(found, twin, expected)
        if "HttpCheck.contains" in found.readers:  # compared by the derived script itself
            found.readers["HttpCheck.contains"].add("derived test")
        varying = _varying(
            expected, [_traces(read, each.token, twin.token) for each in group if each.marked]
        )
        for copy in group:
            if not copy.marked:
                found.wrong += _differences(
                    copy, twin, expected, _traces(read, copy.token), varying
                )
    return found


def _nameless(text: str) -> str:
    """Without the hashes of store paths: what is in a store path differs, too."""
    return re.sub(r"/nix/store/[a-z0-9]{32}-", "/nix/store/", text)


def _traces(read: Mapping[str, str], token: str, instead: str | None = None) -> dict[str, str]:
    """What was read of one copy, with another token in the place of its own."""
    new = instead or token

    def swap(text: str) -> str:
        return text.replace(token, new).replace(token.upper(), new.upper())

    return {swap(key): swap(value) for key, value in read.items() if token in key.lower()}


# numbers of a process, and what it used
_VARIES = re.compile(
    "Timestamp|Monotonic|PID|Current$|Peak$|Available$|CPUUsage|^IO|^IP|Invocation|ControlGroupId|NRestarts"
)


# the order in which the test starts the services of its copies
_ORDER = re.compile(
    r"bus\t[^\t]+\t(After|Before|Wants|WantedBy)\t(copy[0-9]{3}-(main|other)|hostile-make)\.service"
)


def _varying(expected: Mapping[str, str], others: list[dict[str, str]]) -> set[str]:
    """Keys whose values differ between copies that have the same texts."""
    return {
        key
        for other in others
        for key in {*expected, *other}
        if expected.get(key) != other.get(key)
    } | {key for key in expected if key.startswith("bus\t") and _VARIES.search(key.split("\t")[2])}


def _note_readers(found: Evidence, twin: Copy, expected: Mapping[str, str]) -> None:
    names = {place.number: place.name for place in places(twin.project())}
    for number in twin.changes:
        found.readers.setdefault(names[number], set())
    for key, value in expected.items():
        for number in MARK.findall(key + "\n" + value):
            found.readers[names[int(number)]].add(key.split("\t")[0])


def _differences(
    copy: Copy,
    twin: Copy,
    expected: Mapping[str, str],
    actual: Mapping[str, str],
    varying: set[str],
) -> Iterator[str]:
    def change(number: int, *, dollars: bool) -> str:
        text = "".join(CHANGES[copy.changes[number]]) if number in copy.changes else ""
        return text.replace("$", "$$") if dollars else text

    def wanted(text: str, *, dollars: bool) -> str:
        swapped = text.replace(twin.token, copy.token).replace(
            twin.token.upper(), copy.token.upper()
        )
        return unmarked(swapped, lambda number: change(number, dollars=dollars))

    must = {}
    ignored = set()
    for key, value in expected.items():
        # on the bus, a command is what it was before its variables are put in
        dollars = key.startswith("bus\t") and key.split("\t")[2].startswith("Exec")
        place = wanted(key, dollars=dollars)
        must[place] = wanted(value, dollars=dollars)
        if key in varying:
            ignored.add(place)
    ignored |= {key for key in (*must, *actual) if _ORDER.fullmatch(key)}
    for key in sorted({*must, *actual} - ignored):
        if must.get(key) != actual.get(key):
            yield f"{copy.token} {key!r}: {must.get(key)!r} was read as {actual.get(key)!r}"
