"""The events of recorded logs. The default recording is of Nix 2.8.0, building web → dep,
broken → bad (exit 7), and alsobad (exit 1).
"""

import json
import sys
from itertools import count
from pathlib import Path
from typing import assert_never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.driver.messages.events import (
    BuildFailed,
    BuildFinished,
    BuildLine,
    BuildPhase,
    BuildStarted,
    Event,
    Message,
    Progress,
    TransferFinished,
    TransferProgress,
    TransferStarted,
    drv_name,
)
from nixgen.driver.messages.inference import EventParser
from nixgen.driver.messages.wire import clean

RECORDINGS = Path(__file__).parents[2] / "recordings"
RECORDING = (RECORDINGS / "nix-2.8-keep-going.log").read_bytes()


def parse(*documents: object) -> list[Event]:
    ticks = count()
    parser = EventParser(lambda: float(next(ticks)))
    lines = [b"@nix " + json.dumps(document).encode() for document in documents]
    return [event for line in lines for event in parser.feed(line)]


def recorded(recording: bytes = RECORDING) -> list[Event]:
    parser = EventParser()
    return [event for line in recording.splitlines() for event in parser.feed(line)]


def names(kind: type) -> list[str]:
    return [drv_name(event.drv) for event in recorded() if isinstance(event, kind)]


def test_nix_2_34_counts_no_build_twice():
    """The recording builds web → dep, and two."""
    recording = RECORDINGS / "nix-2.34-built.log"
    counts = [event for event in recorded(recording.read_bytes()) if isinstance(event, Progress)]
    builds = [(each.done, each.expected) for each in counts if each.what == "builds"]
    assert max(expected for _, expected in builds) == 3
    assert builds[-1] == (3, 3)


def test_a_recorded_run_has_these_events():
    assert names(BuildStarted) == ["alsobad", "bad", "dep", "web"]
    assert names(BuildFinished) == ["dep", "web"]
    assert sorted(names(BuildFailed)) == ["alsobad", "bad"]
    lines = [event.text for event in recorded() if isinstance(event, BuildLine)]
    assert lines[:5] == ["x", "going", "to fail", "one", "two"]
    assert not any("\x1b" in e.text for e in recorded() if isinstance(e, Message | BuildLine))


def test_an_end_is_reported_when_it_happens_though_nix_reports_it_last():
    events = recorded()
    order = [
        (type(event).__name__, drv_name(event.drv))
        for event in events
        if isinstance(event, BuildStarted | BuildFinished)
    ]
    assert order.index(("BuildFinished", "dep")) < order.index(("BuildStarted", "web"))


def test_the_last_progress_adds_up():
    last = [e for e in recorded() if isinstance(e, Progress) and e.what == "builds"][-1]
    assert (last.done, last.expected, last.running, last.failed) == (2, 2, 0, 2)


def test_the_union_is_closed():
    for event in recorded():
        match event:
            case BuildStarted() | BuildFinished() | BuildFailed() | BuildLine() | BuildPhase():
                pass
            case (
                Progress() | TransferStarted() | TransferProgress() | TransferFinished() | Message()
            ):
                pass
            case _:
                assert_never(event)


DRV = "/nix/store/00000000000000000000000000000000-x.drv"
START = {"action": "start", "id": 1, "level": 3, "type": 105, "text": "", "fields": [DRV, "", 1, 1]}


@pytest.mark.parametrize(
    "words",
    [
        f"builder for '{DRV}' failed with exit code 2",
        (
            f"builder for '\x1b[35;1m{DRV}\x1b[0m' failed with exit code 2;\nlast 1 log lines:\n"
            "> Reason: 1 missing dependency failed"
        ),
        (
            f"Cannot build '{DRV}'.\n       Reason: builder failed with exit code 2.\n"
            "       Output paths:\n         /nix/store/y"
        ),
        f"hash mismatch in fixed-output derivation '{DRV}':\n  specified: a\n  got: b",
    ],
)
def test_the_failure_messages_of_every_version_are_known(words):
    events = parse(
        START,
        {"action": "msg", "level": 0, "msg": words},
        {"action": "msg", "level": 0, "msg": words},
        {"action": "stop", "id": 1},
    )
    assert [type(event) for event in events] == [BuildStarted, BuildFailed]
    assert events[1].seconds == 1.0


@pytest.mark.parametrize(
    "words",
    [
        f"1 dependencies of derivation '{DRV}' failed to build",
        f"Cannot build '{DRV}'.\n       Reason: 1 dependency failed.",
        f"Cannot build '{DRV}'.\n       Reason: 2 dependencies failed.",
        f"build of '{DRV}' failed",
    ],
)
def test_a_dependent_has_not_failed_itself(words):
    assert [type(e) for e in parse({"action": "msg", "level": 0, "msg": words})] == [Message]


def test_transfers_and_phases():
    events = parse(
        {"action": "start", "id": 1, "type": 108, "fields": ["/nix/store/p", "s3://bucket"]},
        {"action": "start", "id": 2, "type": 101, "fields": ["http://127.0.0.1/x"]},
        {"action": "start", "id": 3, "type": 100, "fields": ["/nix/store/p", "a", "b"]},
        {"action": "result", "id": 2, "type": 105, "fields": [10, 0, 0, 0]},
        {"action": "result", "id": 2, "type": 105, "fields": [10, 30, 0, 0]},
        {"action": "result", "id": 2, "type": 105, "fields": [20, 30, 0, 0]},
        {"action": "stop", "id": 2},
        START | {"id": 4},
        {"action": "result", "id": 4, "type": 104, "fields": ["unpackPhase"]},
    )
    assert events == [
        TransferStarted("substitute", "/nix/store/p", "s3://bucket"),
        TransferStarted("fetch", "http://127.0.0.1/x", ""),
        TransferStarted("copy", "/nix/store/p", "a"),
        TransferProgress("http://127.0.0.1/x", 10, 0),
        TransferProgress("http://127.0.0.1/x", 20, 30),
        TransferFinished("fetch", "http://127.0.0.1/x", 2.0),
        BuildStarted(DRV, ""),
        BuildPhase(DRV, "unpackPhase"),
    ]


def test_two_builds_at_once_are_not_confused():
    other = DRV.replace("x.drv", "y.drv")
    progress = {"action": "result", "id": 9, "type": 105}
    events = parse(
        {"action": "start", "id": 9, "type": 104},
        START,
        START | {"id": 2, "fields": [other, "", 1, 1]},
        progress | {"fields": [0, 2, 2, 0]},
        progress | {"fields": [1, 2, 1, 0]},
        progress | {"fields": [1, 2, 0, 1]},
        {"action": "msg", "level": 0, "msg": f"builder for '{DRV}' failed with exit code 1"},
        {"action": "stop", "id": 1},
        {"action": "stop", "id": 2},
    )
    ends = [event for event in events if isinstance(event, BuildFailed | BuildFinished)]
    assert [(type(event), event.drv) for event in ends] == [
        (BuildFailed, DRV),
        (BuildFinished, other),
    ]


def test_unknown_records_are_ignored_and_other_lines_are_text():
    assert parse({"action": "dance"}, {"action": "start", "id": 1, "type": 999}, 3, None) == []
    assert EventParser().feed(b"@nix {") == ()
    assert EventParser().feed(b"plain \x1b[1mwords\x1b[0m") == (Message(3, "plain words"),)


def test_the_frame_of_a_builder_that_cannot_start_becomes_its_message():
    frame = "\x05\0\0\0Error\0\0\0D\0\0executing '\x1b[35;1m/none\x1b[0m': No such file\0\0"
    assert clean(frame) == "executing '/none': No such file"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["start", "stop", "result", "msg"]) | JSON,
        "id": st.integers(0, 3) | JSON,
        "type": st.sampled_from([100, 101, 103, 104, 105, 108]) | JSON,
        "fields": st.lists(st.integers(-1, 3) | st.text(max_size=3) | JSON, max_size=5) | JSON,
        "level": st.integers(0, 3) | JSON,
        "msg": st.sampled_from([f"builder for '{DRV}' failed", "x"]) | JSON,
        "raw_msg": JSON,
    },
)


@given(st.lists(NEAR.map(lambda d: b"@nix " + json.dumps(d).encode()) | st.binary(), max_size=12))
def test_no_line_ever_raises(lines):
    parser = EventParser()
    for line in lines:
        for event in parser.feed(line):
            assert isinstance(event, Event)


def test_the_cost_of_a_line_does_not_grow_with_the_lines_before_it():
    """The cost is counted in function calls, so the load of the computer does not matter."""

    def calls(repetitions: int) -> int:
        parser, lines, made = EventParser(), RECORDING.splitlines(), 0

        def count_call(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event == "call"

        for _ in range(repetitions - 1):
            for line in lines:
                parser.feed(line)
        sys.setprofile(count_call)
        try:
            for line in lines:
                parser.feed(line)
        finally:
            sys.setprofile(None)
        return made

    assert 0 < calls(100) <= calls(2) * 1.1
