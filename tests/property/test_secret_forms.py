"""Whatever writer of nixgen a secret went through, the scanner finds it."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse
from collections.abc import Callable
from xml.sax import saxutils

import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nixgen import syntax as nix
from nixgen.cache.push.leaks import LEAST_LENGTH, Scanner
from nixgen.kubernetes.manifest import to_yaml
from nixgen.models.lines import EnvironmentValue, ExecWord


def _in_nix(indent: int) -> Callable[[str], str]:
    def write(value: str) -> str:
        expression: nix.Expr = nix.Str(value)
        for _ in range(indent):
            expression = nix.AttrSet({"name": expression, "other": nix.Str("x\ny")})
        return nix.print_expr(expression)

    return write


def _block(value: str) -> str:
    lines = "".join(f"        {line}\n" for line in value.split("\n"))
    return f"    key: |\n{lines}"


WRITERS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "systemd: a word of a command": ExecWord,
    "systemd: a value": EnvironmentValue,
    "JSON": json.dumps,
    "JSON with letters of all languages": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "YAML": lambda value: yaml.safe_dump({"a": {"key": value}}),
    "YAML with letters of all languages": lambda value: yaml.safe_dump(
        [{"key": value}], allow_unicode=True
    ),
    "YAML, single quotes": lambda value: yaml.safe_dump({"a": {"key": value}}, default_style="'"),
    "YAML, double quotes": lambda value: yaml.safe_dump({"a": {"key": value}}, default_style='"'),
    "YAML, narrow": lambda value: yaml.safe_dump({"a": {"key": value}}, width=10),
    "a YAML block": _block,
    "Nix": _in_nix(0),
    "Nix, deep in sets": _in_nix(3),
    "shell": shlex.quote,
    "shell in shell": lambda value: shlex.quote(f"echo {shlex.quote(value)}"),
    "shell in JSON": lambda value: json.dumps(["sh", "-c", f"echo {shlex.quote(value)}"]),
    "shell in YAML": lambda value: yaml.safe_dump({"run": f"echo {shlex.quote(value)}"}),
    "JSON in YAML": lambda value: yaml.safe_dump({"data": json.dumps({"key": value})}),
    "a Kubernetes manifest": lambda value: to_yaml(
        [{"kind": "ConfigMap", "data": {"key": value, "file.json": json.dumps([value])}}]
    ),
    "JSON in Nix": lambda value: _in_nix(1)(json.dumps({"key": value})),
    "a word of a command in Nix": lambda value: _in_nix(1)(ExecWord(value)),
    "percent-encoding": lambda value: urllib.parse.quote(value, safe=""),
    "percent-encoding of a form": urllib.parse.quote_plus,
    "percent-encoding in a unit": lambda value: EnvironmentValue(urllib.parse.quote(value)),
    "HTML": html.escape,
    "XML": lambda value: saxutils.quoteattr(value, {"\t": "&#9;"}),
    "XML in JSON": lambda value: json.dumps(saxutils.escape(value)),
}
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64 in lines": base64.encodebytes,
    "base64 in indented lines": lambda data: base64.encodebytes(data).replace(b"\n", b"\n      "),
    "base64 in lines in JSON": lambda data: json.dumps(base64.encodebytes(data).decode()).encode(),
    "base64 of URLs": base64.urlsafe_b64encode,
    "hexadecimal": lambda data: data.hex().encode(),
    "hexadecimal with colons": lambda data: data.hex(":").upper().encode(),
    "percent before every byte": lambda data: "".join(f"%{byte:02X}" for byte in data).encode(),
    "bytes of C": lambda data: ", ".join(f"0x{byte:02x}" for byte in data).encode(),
    "escaped bytes": lambda data: "".join(f"\\x{byte:02x}" for byte in data).encode(),
    "bytes of XML": lambda data: "".join(f"&#x{byte:02x};" for byte in data).encode(),
    "hexadecimal in lines": lambda data: b":\n    ".join(
        data[at : at + 15].hex(":").encode() for at in range(0, len(data), 15)
    ),
}

# Every character that some writer escapes, and few others, so that runs of them are common.
_LETTERS = st.sampled_from(
    list("abcXYZ019_" + " \t\n\r\x07\x1b!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~éß€😀\u2028")
)
values = st.one_of(
    st.text(_LETTERS, min_size=LEAST_LENGTH, max_size=60),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        min_size=LEAST_LENGTH,
        max_size=40,
    ),
).filter(lambda value: len(value.strip("\r\n")) >= LEAST_LENGTH and value == value.strip("\r\n"))


@given(value=values)
@example(value="pa$$w%r\"d'\\x\n${next} line")
@example(value="-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----")
@example(value="0000000\u20280")
def test_a_value_is_found_through_every_writer(value: str) -> None:
    scanner = Scanner.of({"it": value.encode()})
    for name, write in WRITERS.items():
        written = f"key = {write(value)}\nend\n"
        assert scanner.scan([written.encode()]) == {"it"}, f"{name}: {written!r}"


@given(value=st.binary(min_size=LEAST_LENGTH, max_size=200), before=st.binary(max_size=60))
def test_a_value_is_found_through_every_encoder(value: bytes, before: bytes) -> None:
    wanted = value.removesuffix(b"\n").removesuffix(b"\r")
    assume(len(wanted) >= LEAST_LENGTH)
    scanner = Scanner.of({"it": value})
    for name, encode in ENCODERS.items():
        written = encode(before + value + b"tail")
        assert scanner.scan([written]) == {"it"}, f"{name}: {written!r}"


@given(value=values)
def test_a_value_is_found_in_utf_16(value: str) -> None:
    scanner = Scanner.of({"it": value.encode()})
    for encoding in ("utf-16-le", "utf-16-be", "utf-16"):
        assert scanner.scan([f"x {value} y".encode(encoding)]) == {"it"}, encoding


@given(value=st.text(st.sampled_from("abcdef0123456789"), min_size=LEAST_LENGTH), data=st.data())
def test_another_value_is_not_found(value: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(value) - 1))
    other = value[:at] + "z" + value[at + 1 :]
    written = "\n".join(write(other) for write in WRITERS.values()).encode()
    assert Scanner.of({"it": value.encode()}).scan([written]) == frozenset()


def test_each_long_line_of_a_value_is_found_by_itself() -> None:
    key = (
        b"-----BEGIN KEY-----\n" + b"\n".join(bytes([65 + n]) * 40 for n in range(4)) + b"\nshort\n"
    )
    scanner = Scanner.of({"key": key})
    assert scanner.scan([b"x " + b"C" * 40 + b" y"]) == {"key"}
    assert scanner.scan([b"-----BEGIN KEY-----\nother\nshort\n"]) == frozenset()
