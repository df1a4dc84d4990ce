"""Explain failed derivations, and find the targets that need them."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Collection, Iterable, Sequence

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

__all__ = ["LOG_LINES", "BuildLog", "Failure", "UntrustedError", "diagnose"]

# 2.8: the substitute for 'X' from 'Y' is not signed …    2.26: ignoring substitute for 'X' from 'Y', as it's not …
_UNTRUSTED = re.compile(r"substitute for '([^']+)' from '[^']+',? .*not signed by any of the keys")

LOG_LINES = 25
"""The number of lines that are shown at the end of the log of a failed build."""


class UntrustedError(BuildError):
    """A cache has paths that no trusted key signed, and Nix may not build them.

    :param targets: the targets that are not complete.
    :param path: a store path that Nix refused to fetch.
    :param signers: the names of the keys that signed it; None while unknown.
    :param trusted: the names of the trusted keys.
    :param details: the lines of Nix.
    """

    def __init__(
        self,
        targets: Iterable[str],
        path: str,
        *,
        signers: Collection[str] | None = None,
        trusted: Iterable[str] = (),
        details: Iterable[str] = (),
    ) -> None:
        self.targets, self.path, self.trusted = tuple(targets), path, tuple(trusted)
        by = "another key" if signers is None else " and ".join(signers) or "nobody"
        only = f"{' and '.join(self.trusted)} {'are' if self.trusted[1:] else 'is'}"
        super().__init__(
            f"the cache is signed by {by}, and only {only} trusted:"
            f" {', '.join(self.targets)} cannot be fetched",
            hint="if you trust the cache, give its public key with --trust NAME:BASE64, or"
            " Cache(public_keys=[…]); or leave --jobs 0 out to build here",
            details=(
                *(
                    f"the trusted key {name} has the same name, and is another key"
                    for name in dict.fromkeys(signers or ())
                    if name in self.trusted
                ),
                *details,
            ),
        )


@frozen(kw_only=True)
class Failure:
    """A derivation that failed.

    :param drv: its store path.
    :param reason: the cause in a few words, such as ``failed with exit code 7``.
    :param log: the last lines of its log, at most `LOG_LINES`.
    :param targets: the targets that need it.
    :param seconds: from its start to its failure.
    :param error: its error: a BuildError, MirrorError, BuilderError or StoreError.
    """

    drv: str
    reason: str
    log: tuple[str, ...]
    targets: tuple[str, ...]
    seconds: float
    error: NixgenError

    @property
    def name(self) -> str:
        """The name of the derivation."""
        return drv_name(self.drv)


@define
class BuildLog:
    """The log of one Nix process, as far as a report needs it.

    :param builders: the remote builders that Nix may use, for their names in events.
    :param parser: reads the lines.
    :param seconds: derivation → the duration of its build.
    :param failed: derivation → its failure.
    :param errors: the lines of Nix's error messages.
    :param machines: derivation → the name of the remote builder that builds it.
    :param unusable: name of a remote builder that cannot be used → the first reason.
    :param mismatches: the derivations that no machine can build.
    :param untrusted: the store paths in caches that no trusted key signed.
    """

    builders: Builders = field(factory=Builders)

    parser: EventParser = field(factory=EventParser)
    seconds: dict[str, float] = field(factory=dict)
    failed: dict[str, BuildFailed] = field(factory=dict)
    errors: list[str] = field(factory=list)
    machines: dict[str, str] = field(factory=dict)
    unusable: dict[str, BuilderError] = field(factory=dict)
    mismatches: list[BuilderMismatch] = field(factory=list)
    untrusted: list[str] = field(factory=list)
    _tails: collections.defaultdict[str, collections.deque[str]] = field(
        factory=lambda: collections.defaultdict(lambda: collections.deque(maxlen=LOG_LINES))
    )

    def feed(self, line: bytes, observe: Callable[[Event], None]) -> None:
        """Read a line.

        :param line: of Nix's standard error.
        :param observe: gets the events in it.
        """
        for event in map(self._with_builder_name, self.parser.feed(line)):
            if isinstance(event, Message) and nix.is_noise(event.text):
                continue
            self._remember(event)
            observe(event)

    def _with_builder_name(self, event: Event) -> Event:
        """The event with the name of a remote builder instead of its address."""
        match event:
            case BuildStarted(machine=address) if address:
                return evolve(event, machine=self.builders.by_address(address).name)
            case BuilderUnavailable(machine=address):
                machine = self.builders.by_address(address)
                error = self.unusable.setdefault(machine.name, machine.error(event.words))
                return BuilderUnavailable(machine.name, (error.message,))
            case _:
                return event

    def _remember(self, event: Event) -> None:
        match event:
            case BuildLine(drv, text):
                self._tails[drv].append(text)
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
            case Message(_, text) if found := _UNTRUSTED.search(text):
                self.untrusted.append(found[1])
            case Message(0, text):
                self.errors += text.splitlines()
            case Message(_, text) if text.startswith("error:"):
                self.errors.append(text)
            case _:
                pass

    def builder_error(self) -> BuilderError | None:
        """The error of the remote builders, if none of them could build; None if all are usable."""
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
                hint="add the system and the features to a Builder (systems=, supported_features=; a build must"
                " require all of its mandatory_features), or build here, too: --jobs 1",
            )
        return None

    def tail(self, drv: str) -> tuple[str, ...]:
        """The last lines of the log of a build.

        :param drv: the derivation.
        """
        return tuple(self._tails.get(drv, ()))


def diagnose(
    log: BuildLog, failed: Sequence[Target], *, runner: Runner, options: NixOptions, store: Store
) -> tuple[Failure, ...]:
    """The derivations that failed, in the order of their failures.

    :param log: the log of the build.
    :param failed: the targets that are not complete.
    :param runner: runs Nix, to read a log that was not in its output.
    :param options: the settings of Nix.
    :param store: the local store.
    """
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
    # After a failure of a remote builder, Nix's stored log is of an earlier build.
    if not lines and not event.builder:
        read = runner.run(nix.read_log(options, event.drv))
        if read.ok:
            lines = tuple(map(clean, read.text.splitlines()[-LOG_LINES:]))
    name = drv_name(event.drv)
    words = (*lines, *event.reason.splitlines())
    reason = _short(event)
    error: NixgenError | None = store_fault(words)
    if error is None and event.builder:
        error = log.builders.by_address(event.builder).error(
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
