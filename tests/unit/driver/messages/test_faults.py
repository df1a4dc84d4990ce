import pytest

from nixgen.driver.commands import access
from nixgen.driver.commands.nix import NixOptions, strip_noise
from nixgen.driver.messages.faults import fetch_fault, input_fault, store_fault
from nixgen.driver.messages.trace import parse_trace


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("error: writing to file: No space left on device", "full"),
        ("error: committing transaction: database or disk is full (in '…')", "full"),
        ("error: creating directory '/nix/store/x': Read-only file system", "read-only"),
        ("error: remounting /nix/store writable: Invalid argument", "read-only"),
        ("error: opening lock file '/nix/var/nix/db/big-lock': Permission denied", "refuses"),
        ("error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': …", "refuses"),
        ("error: getting status of '/nix/d/socket': Permission denied", "refuses"),
        ("error: could not set permissions on '/nix/x' to 755: Operation not permitted", "refuses"),
    ],
)
def test_a_broken_store_is_recognised(line, message, monkeypatch):
    monkeypatch.setattr(access, "refusal", lambda: None)
    fault = store_fault(["some words", line])
    assert fault is not None
    assert message in fault.message
    assert fault.hint


def test_the_error_of_a_refused_user_names_the_socket_and_the_group(monkeypatch):
    found = access.Refusal("the socket is for the group nix-users", "adduser me nix-users")
    monkeypatch.setattr(access, "refusal", lambda: found)
    fault = store_fault(["error: cannot connect to socket at '/nix/d/socket': Permission denied"])
    assert (fault.message, fault.hint) == (found.message, found.remedy)
    assert "cannot connect" in fault.details[0]


@pytest.mark.parametrize(
    "line",
    [
        "sh: out/x: Permission denied",
        "error: getting status of '/home/me/app': Permission denied",
        "error: builder failed",
        "",
    ],
)
def test_an_error_of_a_builder_is_no_error_of_the_store(line):
    assert store_fault([line]) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("unable to download 'http://m/x.deb': HTTP error 404", "superseded"),
        ("wget: server returned error: HTTP/1.1 404 Not Found", "superseded"),
        ("unable to download 'http://m/x.deb': Couldn't resolve host name (6)", "did not deliver"),
        ("unable to download 'http://m/x.deb': Connection refused (7)", "did not deliver"),
        ("wget: bad address 'm'", "did not deliver"),
        ("hash mismatch in fixed-output derivation '/nix/store/x.deb.drv'", "not the file"),
    ],
)
def test_a_failed_fetch_has_an_explanation(line, message):
    fault = fetch_fault("x.deb", [line])
    assert fault is not None
    assert message in fault.message


def test_an_unclear_failure_of_a_fetch_has_no_explanation():
    assert fetch_fault("x.deb", ["exit code 1"]) is None


def test_a_failed_fetch_quotes_the_reason_of_the_mirror() -> None:
    fault = fetch_fault(
        "x.deb", ["error: unable to download 'http://m/x.deb': HTTP error 503 (18)"]
    )
    assert fault is not None
    assert fault.details == ("HTTP error 503 (18)",)


OLD = b"""\
warning: the group 'nixbld' specified in 'build-users-group' does not exist
error: attribute 'b' missing

       at /p/generated/machines/web.nix:3:5:

            2| {
            3|   x = a.b;
             |     ^

       \xe2\x80\xa6 while evaluating the target machines.web

       at /p/generated/default.nix:9:1:
"""
NEW = b"""\
error:
       \xe2\x80\xa6 while evaluating the target machines.web
         at /p/generated/default.nix:9:1:
            8|
            9| x
             | ^

       (stack trace truncated; use '--show-trace' to show the full, detailed trace)

       error: attribute 'b' missing
       at /p/generated/machines/web.nix:3:5:
            2| {
            3|   x = a.b;
"""


@pytest.mark.parametrize("text", [OLD, NEW])
def test_both_orders_of_a_trace_give_the_same_result(text):
    trace = parse_trace(text)
    assert trace.message == ("attribute 'b' missing",)
    assert trace.target == "machines.web"
    assert trace.positions == (
        ("/p/generated/machines/web.nix", 3),
        ("/p/generated/default.nix", 9),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"error: stack overflow (possible infinite recursion)", "stack overflow"),
        (
            b"error: stack overflow; max-call-depth exceeded\n       at /x.nix:1:1:",
            "stack overflow",
        ),
        (b"GC Warning: x\nToo many heap sections: Increase MAXHINCR\n", "Too many heap sections"),
        (b"terminate called after throwing an instance of 'std::bad_alloc'\n", "bad_alloc"),
    ],
)
def test_exhausted_memory_or_stack_is_recognised(text, message):
    trace = parse_trace(text)
    assert trace.stack or trace.memory
    assert message in trace.message[0]


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"error:", b"error: \n at /x:1"])
def test_any_text_is_read_without_an_error(text):
    assert parse_trace(text).positions in {(), (("/x", 1),)}


def test_options_have_only_the_needed_arguments():
    plain = NixOptions().arguments
    assert plain[plain.index("substituters") + 1] == ""
    assert "build-users-group" not in plain
    full = NixOptions(
        substituters=("http://a", "http://b"),
        trusted_public_keys=("k:1",),
        drop_build_users=True,
        store="/s",
        builders="@/m",
    ).arguments
    for words in (
        ("substituters", "http://a http://b"),
        ("trusted-public-keys", "k:1"),
        ("build-users-group", ""),
        ("builders", "@/m"),
        ("--store", "/s"),
    ):
        assert full[full.index(words[0]) + 1] == words[1]


def test_noise_is_dropped():
    noise = (
        "warning: the group 'nixbld' specified in 'build-users-group' does not exist",
        "error: SQLite database '/nix/var/nix/db/db.sqlite' is busy",
        "warning: SQLite database '/nix/var/nix/db/db.sqlite' is busy",
    )
    assert strip_noise([*noise, "error: x"]) == ("error: x",)


FETCHING = '… while fetching the input "it" from https://git.invalid/a b, commit ' + "0" * 40


@pytest.mark.parametrize(
    ("lines", "message", "status"),
    [
        (  # 2.26, whose error is about something else
            (
                "fatal: unable to access 'https://git.invalid/a/': Could not resolve host: git.invalid\n"
                "error: Cannot find Git revision '0' in ref 'master' of repository 'https://git.invalid/a'!"
            ),
            "cannot be fetched from https://git.invalid/a b",
            3,
        ),
        (
            "error: getting Git object '0': object not found - no match for id (0)",
            "https://git.invalid/a b does not have the commit 000000000000 of the input it",
            3,
        ),
        (
            (
                "warning: unable to download 'https://x': HTTP error 503; retrying in 300 ms\n"
                "error: unable to download 'https://x': HTTP error 404"
            ),
            "does not have the commit",
            3,
        ),
        ("error: store path mismatch in (possibly filtered) path", "is not what", 2),
        ("error: executing 'git': No such file or directory", "git is not installed", 3),
    ],
)
def test_the_error_of_an_unavailable_input_names_it(lines, message, status):
    fault = input_fault([*lines.splitlines(), FETCHING])
    assert fault is not None
    assert message in fault.message
    assert fault.exit_status == status
    assert fault.hint
    assert not any("retrying" in line for line in fault.details)


def test_a_source_line_with_the_message_is_not_the_message():
    source = """   90|   builtins.addErrorContext ''while fetching the input "${name}" from ${origin}''"""
    fault = input_fault(["error: unable to download 'x'", source, FETCHING])
    assert fault is not None
    assert fault.message == "the input it cannot be fetched from https://git.invalid/a b"


def test_another_error_is_no_error_of_an_input():
    assert input_fault(["error: unable to download 'https://x': HTTP error 404"]) is None
