import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from nixgen.errors import MissingToolError, OutsideError, WorkError
from nixgen.programs.child import spawn
from nixgen.programs.command import Command, Completed
from nixgen.programs.runner import SubprocessRunner
from nixgen.testing import ScriptedRunner

RUNNER = SubprocessRunner(grace=0.5)


def sh(script: str, **rest) -> Command:
    return Command(argv=("sh", "-c", script), **rest)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_both_outputs_and_the_status_are_returned():
    done = RUNNER.run(sh("echo out; echo err >&2; exit 3"))
    assert done == Completed(status=3, stdout=b"out\n", stderr=b"err\n")
    assert not done.ok


def test_environment_and_directory_are_added(tmp_path):
    done = RUNNER.run(
        sh('pwd; echo $NIXGEN_X; test -n "$PATH"', env={"NIXGEN_X": "y"}, cwd=tmp_path)
    )
    assert done.text.split() == [str(tmp_path.resolve()), "y"]
    assert done.ok


def test_input_larger_than_a_pipe_is_fed_while_output_is_drained():
    data = os.urandom(1 << 20)
    assert RUNNER.run(Command(argv=("cat",), stdin=data)).stdout == data


def test_a_child_that_ignores_its_input_is_no_error():
    assert RUNNER.run(Command(argv=("true",), stdin=b"x" * (1 << 20))).ok


def test_lines_come_one_by_one_and_an_unfinished_last_line_counts():
    seen: list[bytes] = []
    done = RUNNER.lines(sh("printf 'a\\nb\\n\\nc' >&2; echo out"), seen.append)
    assert seen == [b"a", b"b", b"", b"c"]
    assert done.stdout == b"out\n"
    assert done.stderr_tail(1) == ("c",)


def test_standard_output_is_passed_on_in_lines_on_request():
    messages: list[bytes] = []
    printed: list[bytes] = []
    done = RUNNER.lines(
        sh("printf 'a\\nb\\nc'; echo no >&2"), messages.append, on_output=printed.append
    )
    assert (messages, printed, done.stdout) == ([b"no"], [b"a", b"b", b"c"], b"")


def test_ticks_come_while_a_child_runs_and_may_end_it():
    seen: list[int] = []

    def tick(process: int) -> None:
        seen.append(process)
        if len(seen) == 3:
            raise ZeroDivisionError

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        RUNNER.lines(sh("sleep 60"), lambda _: None, on_tick=tick)
    assert 0.5 < time.monotonic() - started < 30
    assert len(set(seen)) == 1
    assert not alive(seen[0])


def test_a_missing_program_names_the_package():
    with pytest.raises(MissingToolError, match="nix-frobnicate is not installed") as caught:
        RUNNER.run(Command(argv=("nix-frobnicate",)))
    assert caught.value.hint == "install it with: apt-get install nix-bin"


def test_a_missing_directory_is_not_a_missing_program(tmp_path):
    with pytest.raises(OutsideError, match="no directory") as caught:
        RUNNER.run(Command(argv=("true",), cwd=tmp_path / "gone"))
    assert not isinstance(caught.value, MissingToolError)


def test_the_deadline_stops_even_a_child_that_ignores_sigterm(tmp_path):
    pid_file = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(WorkError, match="did not finish within"):
        RUNNER.run(
            sh(f"echo $$ > {pid_file}; trap '' TERM; while :; do sleep 0.05; done", deadline=0.4)
        )
    assert time.monotonic() - started < 5
    assert not alive(int(pid_file.read_text()))


def test_an_exception_in_the_observer_stops_the_child(tmp_path):
    def fail(line: bytes) -> None:
        raise KeyError(int(line))

    with pytest.raises(KeyError) as caught:
        RUNNER.lines(sh("echo $$ >&2; exec sleep 60"), fail)
    assert not alive(caught.value.args[0])


def test_ctrl_c_stops_the_whole_group_and_is_raised_again(tmp_path):
    def interrupt() -> None:
        while not (tmp_path / "pids").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        RUNNER.run(sh("sleep 60 & echo $$ $! > tmp; mv tmp pids; wait", cwd=tmp_path, deadline=20))
    thread.join()
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    deadline = time.monotonic() + 2
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids))


def test_a_grandchild_that_keeps_the_pipes_does_not_delay_the_end():
    started = time.monotonic()
    done = RUNNER.run(sh("setsid sleep 3 & echo done"))
    assert done.stdout == b"done\n"
    assert time.monotonic() - started < 2


def test_the_last_output_is_read_however_late():
    # The tick comes between looking at the pipes and asking whether the child has ended.
    done = RUNNER.lines(
        sh("sleep 0.4; echo out; echo err >&2"), lambda _: None, on_tick=lambda _: time.sleep(0.6)
    )
    assert (done.stdout, done.stderr) == (b"out\n", b"err")


def test_a_spawned_child_runs_until_the_block_ends():
    with spawn(Command(argv=(sys.executable, "-c", "import time; time.sleep(60)"))) as child:
        assert child.poll() is None
    assert child.returncode == -signal.SIGTERM


def test_a_script_must_be_played_in_full_and_in_order():
    runner = ScriptedRunner.of(
        (("nix-store", "--realise", "..."), Completed(status=0, stdout=b"x")),
        (("nix", "*"), Completed(status=1, stderr=b"a\nb")),
    )
    with pytest.raises(AssertionError, match="never came"):
        runner.assert_finished()
    assert runner.run(Command(argv=("nix-store", "--realise", "/a", "/b"))).text == "x"
    seen: list[bytes] = []
    assert runner.lines(Command(argv=("nix", "eval")), seen.append).status == 1
    assert seen == [b"a", b"b"]
    runner.assert_finished()
    with pytest.raises(AssertionError, match="unexpected"):
        runner.run(Command(argv=("nix",)))


def test_a_command_is_printed_as_a_shell_line_without_its_environment():
    command = Command(argv=("echo", "a b"), env={"SECRET": "hush"})
    assert str(command) == "echo 'a b'"
    with pytest.raises(ValueError, match="program"):
        Command(argv=())
