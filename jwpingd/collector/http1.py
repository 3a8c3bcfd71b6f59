"""As much of HTTP/1.1 as a collector of pings needs: bytes → requests, answers → bytes.  No I/O.

Source: RFC 9112.  Only GET and HEAD, without a body.  Whatever the bytes are, they make requests or
one refusal, after which the connection is to be closed; never an exception.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

MAX_REQUEST_LINE_BYTES = 8 * 1024  # What common servers allow; a target has 6 KiB at most.
MAX_HEADER_BYTES = 16 * 1024
"""All header fields of a request together, with their line ends."""

_HEAD_END = re.compile(rb"\n\r?\n")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_REQUEST_LINE = re.compile(rb"(%b) (\S+) HTTP/([0-9])\.([0-9])" % _TOKEN.pattern)
_TARGET = re.compile(rb"/[\x21-\x7e]*")


class Request(NamedTuple):
    """One request.  `target` is path and query as sent; `is_last`: the client wants no other after it."""

    method: str
    target: str
    is_last: bool


class Refusal(NamedTuple):
    """Bytes that are no request we take.  Nothing after them can be read."""

    status: int
    message: str


class RequestReader:
    """Takes bytes as they come and gives requests as they become whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._refusal: Refusal | None = None

    def feed(self, data: bytes) -> None:
        """Takes what was received.  Call `next_request` until it gives None before feeding more."""
        if self._refusal is None:
            self._buffer += data

    def next_request(self) -> Request | Refusal | None:
        """The next whole request, the refusal (for ever, once there is one), or None: feed more."""
        if self._refusal is None:
            try:
                return self._parse()
            except _RefusedError as exc:
                self._refusal = exc.refusal
                self._buffer.clear()
        return self._refusal

    def _parse(self) -> Request | None:
        self._skip_empty_lines()
        line_end = self._buffer.find(b"\n", 0, MAX_REQUEST_LINE_BYTES + 1)
        if line_end < 0:
            _refuse_if(len(self._buffer) > MAX_REQUEST_LINE_BYTES, 414, "the request line is too long")
            return None
        # The line is judged before the fields are there: who speaks no HTTP is told at once.
        line = _request_line(bytes(self._buffer[:line_end]).removesuffix(b"\r"))
        end = _HEAD_END.search(self._buffer, line_end, line_end + MAX_HEADER_BYTES + 3)
        if end is None:
            _refuse_if(len(self._buffer) - line_end >= MAX_HEADER_BYTES + 3, 431, "the header is too long")
            return None
        fields = _fields(bytes(self._buffer[line_end + 1 : max(line_end + 1, end.start())]))
        del self._buffer[: end.end()]
        return _request(*line, fields)

    def _skip_empty_lines(self) -> None:
        # RFC 9112 §2.2: empty lines before a request line are to be ignored.
        n_empty = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        del self._buffer[:n_empty]


def answer(
    status: int, body: bytes, content_type: str, *, date_s: float, has_body: bool, is_last: bool
) -> bytes:
    """A whole answer.  Without its body (to HEAD) it still tells the body's length; `date_s` is Unix time."""
    head = (
        f"HTTP/1.1 {status} {_phrase(status)}\r\n"
        f"Date: {formatdate(date_s, usegmt=True)}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
    )
    closing = "Connection: close\r\n\r\n" if is_last else "\r\n"
    return (head + closing).encode("ascii") + (body if has_body else b"")


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(status, message)


def _refuse_if(is_wrong: bool, status: int, message: str) -> None:
    if is_wrong:
        raise _RefusedError(status, message)


def _request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    """A request line → method, target, and whether it is HTTP/1.1 or a later 1.x."""
    parts = _REQUEST_LINE.fullmatch(line)
    if parts is None:
        raise _RefusedError(400, "this is not a request line of HTTP/1.1")
    method, target, major, minor = parts.groups()
    _refuse_if(major != b"1", 505, "only HTTP/1 is spoken here")
    _refuse_if(method not in (b"GET", b"HEAD"), 405, "only GET and HEAD are answered")
    _refuse_if(_TARGET.fullmatch(target) is None, 400, "the target must be a path, in visible ASCII")
    return method, target, minor != b"0"


def _fields(block: bytes) -> dict[bytes, list[bytes]]:
    """Header lines → lower-case name → values in order."""
    fields: dict[bytes, list[bytes]] = {}
    for line in block.split(b"\n") if block else []:
        name, colon, value = line.removesuffix(b"\r").partition(b":")
        _refuse_if(not colon or _TOKEN.fullmatch(name) is None, 400, "a header line is malformed")
        _refuse_if(b"\r" in value or b"\0" in value, 400, "a header value holds a control character")
        fields.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return fields


def _request(method: bytes, target: bytes, is_current: bool, fields: dict[bytes, list[bytes]]) -> Request:
    n_hosts = len(fields.get(b"host", []))
    _refuse_if(n_hosts > 1 or (is_current and n_hosts == 0), 400, "exactly one Host is due")
    lengths = fields.get(b"content-length", [])
    has_body = b"transfer-encoding" in fields or any(length.strip(b"0") for length in lengths)
    _refuse_if(has_body, 400, "a ping has no body")
    connection = b",".join(fields.get(b"connection", [])).lower()
    options = {option.strip() for option in connection.split(b",")}
    is_last = b"close" in options or not (is_current or b"keep-alive" in options)
    return Request(method.decode("ascii"), target.decode("ascii"), is_last)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unnamed"
