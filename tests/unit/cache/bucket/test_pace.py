"""The pace of requests: attempts, pauses, and how many run at once. Time is simulated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from nixgen.cache.bucket.pace import Pace, PaceStatistics


class Time:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def answer(status: int, code: str, **headers: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "HTTPHeaders": headers,
                "RequestId": "",
                "HostId": "",
                "RetryAttempts": 0,
            },
        },
        "PutObject",
    )


SLOW_DOWN = answer(503, "SlowDown")
INTERNAL = answer(500, "InternalError")
DENIED = answer(403, "AccessDenied")
REFUSED = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def pace(time: Time, *, most: int = 10, attempts: int = 4) -> Pace:
    return Pace(most, attempts, clock=time.clock, sleep=time.sleep)


def request(outcomes: Iterable[Exception | int]) -> Callable[[], int]:
    """A request that raises or returns the next outcome at each call."""
    rest = iter(outcomes)

    def send() -> int:
        outcome = next(rest)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return send


@pytest.mark.parametrize("error", [SLOW_DOWN, INTERNAL, REFUSED], ids=lambda e: type(e).__name__)
def test_a_temporary_failure_is_repeated(time: Time, error: Exception) -> None:
    tried = pace(time)
    assert tried.run(request([error, error, 7])) == 7
    assert (tried.statistics.requests, tried.statistics.repeated) == (3, 2)


def test_a_lasting_failure_is_raised_at_once(time: Time) -> None:
    tried = pace(time)
    with pytest.raises(ClientError, match="AccessDenied"):
        tried.run(request([DENIED, 7]))
    assert tried.statistics == PaceStatistics(requests=1, repeated=0, throttled=0)
    assert not time.slept


def test_no_pause_follows_the_last_attempt(time: Time) -> None:
    tried = pace(time, attempts=3)
    with pytest.raises(ClientError, match="InternalError"):
        tried.run(request([INTERNAL] * 3 + [7]))
    assert tried.statistics.requests == 3
    assert len(time.slept) == 2


def test_with_one_attempt_nothing_is_repeated(time: Time) -> None:
    with pytest.raises(ClientError):
        pace(time, attempts=1).run(request([INTERNAL, 7]))
    assert not time.slept


def test_pauses_double_up_to_a_limit_within_their_spread(time: Time) -> None:
    with pytest.raises(ClientError):
        pace(time, attempts=14).run(request([INTERNAL] * 14))
    for index, pause in enumerate(time.slept):
        whole = min(20.0, 0.1 * 2**index)
        assert whole * 0.5 <= pause <= whole * 1.5


def test_a_request_waits_as_long_as_retry_after_demands(time: Time) -> None:
    assert pace(time).run(request([answer(429, "TooManyRequests", **{"retry-after": "7"}), 1])) == 1
    assert sum(time.slept) >= 7


def test_retry_after_delays_every_request(time: Time) -> None:
    tried = pace(time, attempts=1)
    with pytest.raises(ClientError):
        tried.run(request([answer(503, "SlowDown", **{"retry-after": "9"})]))
    before = time.now
    sent: list[float] = []
    tried.run(lambda: sent.append(time.now))
    assert sent[0] >= before + 9
    tried.run(lambda: sent.append(time.now))
    assert sent[1] == sent[0]


def test_a_waiting_request_obeys_a_later_retry_after(time: Time) -> None:
    tried = pace(time, attempts=1)

    def throttled(seconds: int) -> None:
        with pytest.raises(ClientError):
            tried.run(request([answer(503, "SlowDown", **{"retry-after": str(seconds)})]))

    began = time.now
    throttled(5)

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        # What another thread is told meanwhile; a request of its own would wait as well.
        tried._held_until = max(tried._held_until, began + 20)

    tried._sleep = sleep
    sent: list[float] = []
    tried.run(lambda: sent.append(time.now))
    assert sent == [began + 20]


@pytest.mark.parametrize("text", ["", "-3", "1.5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "²"])
def test_a_retry_after_that_is_no_number_is_ignored(time: Time, text: str) -> None:
    assert pace(time).run(request([answer(503, "SlowDown", **{"retry-after": text}), 1])) == 1
    assert sum(time.slept) < 1


def test_a_very_long_retry_after_is_limited(time: Time) -> None:
    pace(time).run(request([answer(503, "SlowDown", **{"retry-after": "86400"}), 1]))
    assert sum(time.slept) == pytest.approx(120)


def test_throttling_cuts_the_pace_and_success_restores_it(time: Time) -> None:
    tried = pace(time, most=10, attempts=1)
    assert tried.allowed == 10

    def throttle() -> None:
        time.now += 1
        with pytest.raises(ClientError):
            tried.run(request([SLOW_DOWN]))

    throttle()
    assert tried.allowed == 7
    throttle()
    assert tried.allowed == 4  # 4.9
    for _ in range(50):
        throttle()
    assert tried.allowed == 1
    assert tried.statistics.throttled == 52
    needed = 0
    while tried.allowed < 10:
        tried.run(lambda: None)
        needed += 1
    # One more for as many good answers as are allowed: 1 + 2 + … + 9, about.
    assert 40 <= needed <= 60
    for _ in range(20):
        tried.run(lambda: None)
    assert tried.allowed == 10


def test_other_errors_do_not_change_the_pace(time: Time) -> None:
    tried = pace(time)
    tried.run(request([INTERNAL, REFUSED, 1]))
    assert tried.allowed == 10
    assert tried.statistics.throttled == 0


def test_simultaneous_throttling_answers_cut_the_pace_once(time: Time) -> None:
    tried = pace(time, most=8, attempts=1)
    together = threading.Barrier(8)

    def send() -> None:
        together.wait(10)
        raise SLOW_DOWN

    def run() -> None:
        with pytest.raises(ClientError):
            tried.run(send)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(run) for _ in range(8)]:
            future.result()
    assert tried.statistics.throttled == 8
    assert tried.allowed == 5  # 0.7 of 8, once


def test_only_the_allowed_number_of_requests_runs_at_once() -> None:
    tried = Pace(3, 1)
    lock = threading.Lock()
    running = most = 0
    pause = threading.Event()

    def send() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pause.wait(0.002)
        with lock:
            running -= 1

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(tried.run, send) for _ in range(100)]:
            future.result(timeout=120)
    assert most == 3
    assert tried.statistics.requests == 100


def test_all_requests_of_many_threads_succeed_despite_throttling() -> None:
    tried = Pace(8, 50, sleep=lambda _: None)
    lock = threading.Lock()
    count = 0

    def send() -> int:
        nonlocal count
        with lock:
            count += 1
            if count % 3 == 0:
                raise SLOW_DOWN
        return 1

    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(tried.run, send) for _ in range(300)]
        done = [future.result(timeout=120) for future in running]
    assert done == [1] * 300
    assert tried.statistics.requests == count
    assert tried.statistics.repeated == tried.statistics.throttled == count - 300


def test_an_error_of_the_request_itself_is_raised_and_frees_its_place(time: Time) -> None:
    tried = pace(time, most=1)
    with pytest.raises(ZeroDivisionError):
        tried.run(lambda: 1 // 0)
    assert tried.run(lambda: 5) == 5
