"""Why derivations failed, and which targets that concerns."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence

from attrs import define, evolve, field, frozen

from nixgen.driver.build.builders import Builders
from nixgen.driver.commands import nix
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Target
from nixgen.driver.messages.events import (
    BuilderMismatch,
    BuilderUnavailable,
    BuildFailed,
    BuildFinished,
    BuildLine,
    BuildStarted,
    Event,
    Message,
    drv_name,
)
from nixgen.driver.messages.faults import fetch_fault, store_fault
from nixgen.driver.messages.inference import EventParser
from nixgen.driver.messages.wire import clean
from nixgen.driver.store.store import Store
from nixgen.errors import BuilderError, BuildError, NixgenError
from nixgen.programs.runner import Runner

__all__ = ["LOG_LINES", "BuildLog", "Failure", "diagnose"]

LOG_LINES = 25
"""How much of a failed builder's log is shown."""


@frozen(kw_only=True)
class Failure:
    """A derivation that failed.

    :param drv: its store path.
    :param reason: why, in a few words (``exit code 7``).
    :param log: the last lines that its builder wrote, at most `LOG_LINES`.
    :param targets: attribute paths of the targets that need it.
    :param seconds: from its start to its failure.
    :param error: what it means: BuildError, MirrorError, BuilderError or StoreError.
    """

    drv: str
    reason: str
    log: tuple[str, ...]
    targets: tuple[str, ...]
    seconds: float
    error: NixgenError

    @property
    def name(self) -> str:
        return drv_name(self.drv)


@define
class BuildLog:
    """What is remembered of a stream of events: the ends of logs, durations, places, failures.

    :param builders: those that Nix was given; events that are passed on call them by their names.
    :param machines: derivation → the name of the builder that it was given to.
    :param unusable: builders that could not be used, each with the first reason for it.
    """

    builders: Builders = field(factory=Builders)

    parser: EventParser = field(factory=EventParser)
    seconds: dict[str, float] = field(factory=dict)
    failed: dict[str, BuildFailed] = field(factory=dict)
    errors: list[str] = field(factory=list)
    machines: dict[str, str] = field(factory=dict)
    unusable: dict[str, BuilderError] = field(factory=dict)
    mismatches: list[BuilderMismatch] = field(factory=list)
    _tails: dict[str, collections.deque[str]] = field(factory=dict)

    def feed(self, line: bytes, observe: Callable[[Event], None]) -> None:
        """Take a line of Nix's standard error, and pass its events on."""
        for event in map(self._named, self.parser.feed(line)):
            if isinstance(event, Message) and nix.is_noise(event.text):
                continue
            self._remember(event)
            observe(event)

    def _named(self, event: Event) -> Event:
        match event:
            case BuildStarted(machine=address) if address:
                return evolve(event, machine=self.builders.find(address).name)
            case BuilderUnavailable(machine=address):
                machine = self.builders.find(address)
                error = self.unusable.setdefault(machine.name, machine.error(event.words))
                return BuilderUnavailable(machine.name, (error.message,))
            case _:
                return event

    def _remember(self, event: Event) -> None:
        match event:
            case BuildLine(drv, text):
                tail = self._tails.get(drv)
                if tail is None:
                    tail = self._tails[drv] = collections.deque(maxlen=LOG_LINES)
                tail.append(text)
            case BuildFinished(drv, seconds):
                self.seconds[drv] = seconds
                self._tails.pop(drv, None)
            case BuildStarted(drv, machine) if machine:
                self.machines[drv] = machine
            case BuilderMismatch():
                self.mismatches.append(event)
            case BuildFailed(drv, seconds):
                self.seconds[drv] = seconds
                self.failed[drv] = event
            case Message(0, text):
                self.errors += text.splitlines()
            case Message(_, text) if text.startswith("error:"):
                self.errors.append(text)
            case _:
                pass

    def builder_error(self) -> BuilderError | None:
        """Why nothing at all could be built where it should have been."""
        if self.unusable:
            first, *others = self.unusable.values()
            return BuilderError(
                first.message, hint=first.hint, details=[error.message for error in others]
            )
        if self.mismatches:
            mismatch = self.mismatches[0]
            name = drv_name(mismatch.drv)
            features = f" with {', '.join(mismatch.features)}" if mismatch.features else ""
            return BuilderError(
                f"no builder can build {name}: it needs {mismatch.system}{features}",
                hint="give a Builder these systems and supported_features (what is in its mandatory_features a build"
                " must ask for), or build here, too: --jobs 1",
            )
        return None

    def tail(self, drv: str) -> tuple[str, ...]:
        return tuple(self._tails.get(drv, ()))


def diagnose(
    log: BuildLog, failed: Sequence[Target], *, runner: Runner, options: NixOptions, store: Store
) -> tuple[Failure, ...]:
    """The derivations that made the targets ``failed`` fail, in the order they did."""
    needs = {target.attr: {info.path for info in store.closure([target.drv])} for target in failed}
    return tuple(
        _failure(event, log, needs, runner=runner, options=options) for event in log.failed.values()
    )


def _failure(
    event: BuildFailed,
    log: BuildLog,
    needs: dict[str, set[str]],
    *,
    runner: Runner,
    options: NixOptions,
) -> Failure:
    lines = log.tail(event.drv)
    if not lines and not event.builder:  # else the log is of another time
        read = runner.run(nix.read_log(options, event.drv))
        if read.ok:
            lines = tuple(map(clean, read.text.splitlines()[-LOG_LINES:]))
    name = drv_name(event.drv)
    words = (*lines, *event.reason.splitlines())
    reason = _short(event)
    error: NixgenError | None = store_fault(words)
    if error is None and event.builder:
        error = log.builders.find(event.builder).error(
            event.reason.splitlines(), where=f", building {name}"
        )
    if error is None and name.endswith(".deb"):
        error = fetch_fault(name, words)
    return Failure(
        drv=event.drv,
        reason=reason,
        log=lines,
        targets=tuple(attr for attr, paths in needs.items() if event.drv in paths),
        seconds=event.seconds,
        error=error or BuildError(f"{name} failed: {reason}", details=lines),
    )


def _short(event: BuildFailed) -> str:
    """``builder for '….drv' failed with exit code 7; …`` → ``failed with exit code 7``."""
    text = event.reason.replace(f"'{event.drv}'", "").partition(";")[0]
    lines = [line.strip(" .:") for line in text.splitlines() if line.strip(" .:")]
    for line in lines:
        if line.startswith("Reason"):  # Nix since 2.30
            return line.removeprefix("Reason").strip(" .:")
    return lines[0].removeprefix("builder for").strip() if lines else "failed"
