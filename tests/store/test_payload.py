"""What `message.json()` and `message.text()` make of the bytes of a body."""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import tracemalloc
import zlib
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fencepost import Message
from fencepost.store.types.content.inflate import TooLong, inflated

FORM = "application/x-www-form-urlencoded"
MEBIBYTE = 1024 * 1024


def message(body: bytes, content_type: str = "application/json", encoding: str = "") -> Message:
    headers = {"content-type": content_type, "content-encoding": encoding}
    return Message(1, "hooks", "k", "", {k: v for k, v in headers.items() if v}, body, 0.0)


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


# PARSE-2
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (urlencode({"payload": '{"a": 1}'}), {"a": 1}),
        (urlencode({"payload": " [1, 2]", "token": "x"}), [1, 2]),
        (urlencode({"payload": '\ufeff{"a": "é"}'}), {"a": "é"}),
        (urlencode({"payload": "hello", "n": "1"}), {"payload": "hello", "n": "1"}),
        ("payload={}&payload={}", {"payload": ["{}", "{}"]}),
        (
            "command=%2Fdeploy&text=a+%26+b&empty=&flag",
            {"command": "/deploy", "text": "a & b", "empty": "", "flag": ""},
        ),
        ("id=1&tag=a&tag=b", {"id": "1", "tag": ["a", "b"]}),
        ("", {}),
        ("name=caf%C3%A9", {"name": "café"}),
        ('{"sent": "by curl -d"}', {"sent": "by curl -d"}),
        ("{a=1", {"{a": "1"}),
    ],
)
@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=UTF-8", FORM.upper()])
def test_a_form_is_the_json_in_its_payload_or_its_fields(body: str, said: Any, kind: str) -> None:
    assert message(body.encode(), kind).json() == said


# PARSE-2
@pytest.mark.parametrize("body", ["payload=%7B", "a=%FF", "&".join(["a=1"] * 1001)])
def test_a_form_that_cannot_be_read_is_a_value_error(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        message(body.encode(), FORM).json()


# PARSE-2
def test_a_form_in_another_charset_has_its_escapes_in_it_too() -> None:
    latin = message(b"city=Z%FCrich", f"{FORM}; charset=iso-8859-1")
    wide = message(("payload=" + quote('{"a": "ü"}')).encode("utf-16"), FORM)

    assert latin.json() == {"city": "Zürich"}
    assert wide.json() == {"a": "ü"}


TEXT = '{"id": "Zürich"}'


# PARSE-3
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (codecs.BOM_UTF8 + TEXT.encode(), "application/json"),
        (codecs.BOM_UTF8 + TEXT.encode(), "application/json; charset=latin-1"),
        (TEXT.encode("utf-16"), "application/json"),
        (TEXT.encode("utf-16"), "application/json; charset=utf-8"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "application/json"),
        (TEXT.encode("utf-32"), "application/json"),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "application/json"),
        (TEXT.encode("utf-16-le"), "application/json"),
        (TEXT.encode("utf-16-be"), "application/json; charset=UTF-16"),
        (TEXT.encode("utf-16-le"), 'application/json; charset="utf-16"'),
        (TEXT.encode("utf-32-le"), "application/json"),
        (TEXT.encode("utf-32-be"), "text/plain"),
        (TEXT.encode("latin-1"), "application/json; charset=ISO-8859-1"),
        (TEXT.encode("latin-1"), "application/json;charset='latin1'; x=y"),
        (TEXT.encode("cp1252"), "text/json ; Charset = windows-1252"),
        (TEXT.encode("cp437"), "application/json; charset=cp437"),
        (TEXT.encode(), "application/json; charset=utf-8"),
        (TEXT.encode(), "application/json; charset=us-ascii"),
        (TEXT.encode(), "application/json; charset=no-such-charset"),
        (TEXT.encode(), "application/json; charset=zlib"),
        (TEXT.encode(), "application/json; charset=unicode_escape"),
        (TEXT.encode(), "application/json; charset=utf-7"),
        (TEXT.encode(), "application/json; charset=idna"),
        (TEXT.encode(), "application/json; charset=undefined"),
        (TEXT.encode(), "application/json; charset="),
        (TEXT.encode(), "application/json, text/plain; charset=utf-16"),
        (TEXT.encode(), "\xff;;;"),
        (TEXT.encode(), ""),
    ],
)
def test_a_text_is_decoded_by_its_mark_its_nuls_or_its_charset(
    body: bytes, content_type: str
) -> None:
    assert message(body, content_type).json() == {"id": "Zürich"}
    assert message(body, content_type).text() == TEXT


# PARSE-3
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (TEXT.encode("latin-1"), "application/json"),
        (TEXT.encode("latin-1"), "application/json; charset=utf-8"),
        (TEXT.encode("utf-16")[:-1], "application/json"),
        (b"\xff\xfe\x00\xd8", "text/plain"),
    ],
)
def test_a_text_that_is_not_in_its_encoding_is_a_value_error(
    body: bytes, content_type: str
) -> None:
    with pytest.raises(ValueError, match="codec"):
        message(body, content_type).text()
    with pytest.raises(ValueError, match="codec"):
        message(body, content_type).json()


# PARSE-4
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzipped(TEXT.encode()), "gzip"),
        (gzipped(TEXT.encode()), " GZip "),
        (gzipped(TEXT.encode()), "x-gzip"),
        (gzipped(TEXT.encode()[:5]) + gzipped(TEXT.encode()[5:]), "gzip"),
        (zlib.compress(TEXT.encode()), "deflate"),
        (raw_deflate(TEXT.encode()), "Deflate"),
        (gzipped(zlib.compress(TEXT.encode())), "deflate, gzip"),
        (gzipped(TEXT.encode()), "identity,gzip,,"),
        (gzipped(TEXT.encode("utf-16")), "gzip"),
        (TEXT.encode(), "identity"),
        (TEXT.encode(), ""),
    ],
)
def test_a_content_encoding_is_undone(body: bytes, encoding: str) -> None:
    assert message(body, encoding=encoding).json() == {"id": "Zürich"}
    assert message(body, encoding=encoding).text() == TEXT


# PARSE-4
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", "gzip"),
        (TEXT.encode(), "gzip"),
        (gzipped(TEXT.encode())[:-1], "gzip"),
        (gzipped(TEXT.encode()) + b"x", "gzip"),
        (gzipped(b"") * 101, "gzip"),
        (gzipped(TEXT.encode())[:-8] + bytes(8), "gzip"),
        (TEXT.encode(), "deflate"),
        (zlib.compress(TEXT.encode())[:-1], "deflate"),
        (zlib.compress(TEXT.encode()) + b"x", "deflate"),
        (raw_deflate(TEXT.encode()) + b"x", "deflate"),
        (gzipped(TEXT.encode()), "deflate, gzip"),
        (TEXT.encode(), ", ".join(["gzip"] * 5)),
        (TEXT.encode(), "br"),
        (bz2.compress(TEXT.encode()), "gzip, bzip2"),
    ],
)
def test_a_body_that_is_not_in_its_content_encoding_is_a_value_error(
    body: bytes, encoding: str
) -> None:
    with pytest.raises(ValueError, match=r"Content-Encoding|cut short|follows|members"):
        message(body, encoding=encoding).json()


# PARSE-5
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
def test_a_bomb_is_refused_before_it_has_gone_off(encoding: str) -> None:
    bomb = bytes(64 * MEBIBYTE)
    for coding in encoding.split(", "):
        bomb = gzipped(bomb) if coding == "gzip" else zlib.compress(bomb)

    tracemalloc.start()
    with pytest.raises(TooLong, match="1048576 bytes"):
        inflated(bomb, encoding, MEBIBYTE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5 * MEBIBYTE
    assert inflated(gzipped(bytes(MEBIBYTE)), "gzip", MEBIBYTE) == bytes(MEBIBYTE)


# PARSE-5
def test_the_members_of_a_gzip_are_bounded_together() -> None:
    half = gzipped(bytes(600))

    assert len(inflated(half + half, "gzip", 1200)) == 1200
    with pytest.raises(TooLong):
        inflated(half + half, "gzip", 1199)


# PARSE-6
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": 1, "id": 2}', {"id": 2}),
        (r'{"id": "cut \ud83d"}', {"id": "cut \ud83d"}),
        ('{"id": 12345678901234567890123}', {"id": 12345678901234567890123}),
        ('{"id": -0, "n": 1e400}', {"id": 0, "n": float("inf")}),
        ("[" * 500 + "]" * 500, None),
        ('{"text": "' + "[" * 1000 + '"}', {"text": "[" * 1000}),
        ('"' + "[{" * 1000 + '"', "[{" * 1000),
        (json.dumps([[]] * 1000), [[]] * 1000),
    ],
)
def test_json_is_what_python_reads(text: str, said: Any) -> None:
    found = message(text.encode()).json()

    assert found == (json.loads(text) if said is None else said)


# PARSE-6
@pytest.mark.parametrize(
    "text",
    [
        "[" * 501 + "]" * 501,
        '{"a":' * 501 + "1" + "}" * 501,
        "[" * 200_000,
        '{"n": ' + "9" * 5_000 + "}",
        '{"a": 1} x',
        '"control \x01 character"',
        "",
    ],
)
def test_json_that_is_broken_or_nested_too_deep_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        message(text.encode()).json()


# Pieces of which JSON is made, and of which it is made wrongly.
PLAIN = rb"""" \ \u00 \ud83d \ude00 0 1 - + . e 400 18446744073709551616 [ ] { } , : "a": "b":2,
    true null NaN Infinity"""
ODD = [b" ", b"\n", b"\0", b"\x0b", b"\x1f", b"\x7f", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xed\xa0\x80"]
PIECES = st.sampled_from([*PLAIN.split(), *ODD, b"\xff", b"\xf0\x9f\x98\x80"])
WHOLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
).map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


# PARSE-6
@settings(max_examples=1000, deadline=None)
@given(body=st.lists(PIECES, max_size=8).map(b"".join) | WHOLE)
def test_the_usual_json_is_read_as_by_pythons_json_alone(body: bytes) -> None:
    """A media type that is spelled in another way is read by Python's json."""
    read = []
    for kind in ("application/json", "Application/JSON"):
        try:
            read.append(repr(message(body, kind).json()))
        except ValueError:
            read.append("ValueError")

    assert read[0] == read[1]


def test_what_one_handler_does_to_the_document_no_other_sees() -> None:
    received = message(b'{"a": []}')

    received.json()["a"].append(1)

    assert received.json() == {"a": []}
