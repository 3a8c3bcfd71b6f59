"""The operator's socket: one JSON object asks, one answers, the connection ends.

Only root and the daemon's own user are heard; everybody else is told so.  The protocol has a version,
so that a command of one release says something useful to a daemon of another.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import trio

from jwpingd import sockets
from jwpingd.errors import OperatorError

VERSION = 1
MAX_REQUEST_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_CLIENTS = 8  # more operators than that at once is a mistake
REQUEST_TIMEOUT_S = 5.0

Answer = Mapping[str, Any]
Handler = Callable[[Mapping[str, Any]], Awaitable[Answer]]


async def serve(listener: socket.socket, handlers: Mapping[str, Handler]) -> None:
    """Answer commands until cancelled.  A handler raises OperatorError to refuse."""
    limit = trio.CapacityLimiter(MAX_CLIENTS)
    async with trio.open_nursery() as nursery:
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                sock, _ = listener.accept()
            except OSError:
                await trio.sleep(0.1)
                continue
            sock.setblocking(False)
            if limit.available_tokens < 1:
                sock.close()
                continue
            nursery.start_soon(_serve_one, sock, handlers, limit)


def ask(path: Path, command: str, timeout_s: float = 5.0, **arguments: Any) -> dict[str, Any]:
    """Send one command to the daemon and return its answer.  Blocking.  Raises OperatorError."""
    request = json.dumps({"version": VERSION, "command": command, **arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(os.fspath(path))
            sock.sendall(request)
            answer = json.loads(_read_line(sock) or b"null")
        except (FileNotFoundError, ConnectionRefusedError) as exc:
            raise OperatorError(f"no jwpingd answers on {path}; is it running? (jwpingd run)") from exc
        except (OSError, ValueError) as exc:
            raise OperatorError(f"jwpingd on {path} did not answer as it should: {exc}") from exc
    if not isinstance(answer, dict):
        raise OperatorError(f"jwpingd on {path} closed the connection without an answer")
    if "error" in answer:
        raise OperatorError(str(answer["error"]))
    return answer


def _read_line(sock: socket.socket) -> bytes:
    answer = bytearray()
    while b"\n" not in answer and len(answer) < MAX_ANSWER_BYTES:
        data = sock.recv(65536)
        if not data:
            break
        answer += data
    return bytes(answer)


async def _serve_one(
    sock: socket.socket, handlers: Mapping[str, Handler], limit: trio.CapacityLimiter
) -> None:
    async with limit:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        async with stream:
            with trio.move_on_after(REQUEST_TIMEOUT_S):
                try:
                    answer = json.dumps(await _answer(sock, stream, handlers))
                except OperatorError as error:
                    answer = json.dumps({"error": str(error)})
                except Exception as exc:  # A question, whatever it is, must not end the daemon.
                    answer = json.dumps({"error": f"internal error, {type(exc).__name__}: {exc}"})
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(answer.encode() + b"\n")


async def _answer(sock: socket.socket, stream: trio.SocketStream, handlers: Mapping[str, Handler]) -> Answer:
    uid = sockets.peer(sock).uid
    if uid not in (0, os.geteuid()):
        raise OperatorError(f"only root and the user that jwpingd runs as may ask it, not uid {uid}")
    request = await _read_request(stream)
    if request.get("version") != VERSION:
        raise OperatorError(f"this jwpingd speaks version {VERSION} of the control protocol")
    handler = handlers.get(str(request.get("command")))
    if handler is None:
        raise OperatorError(f"unknown command {request.get('command')!r}; known: {', '.join(handlers)}")
    return await handler(request)


async def _read_request(stream: trio.SocketStream) -> dict[str, Any]:
    data = bytearray()
    while b"\n" not in data and len(data) <= MAX_REQUEST_BYTES:
        try:
            part = await stream.receive_some(4096)
        except trio.BrokenResourceError:
            part = b""
        if not part:
            break
        data += part
    try:
        request = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise OperatorError("the request is not one line of JSON") from exc
    if not isinstance(request, dict):
        raise OperatorError("the request is not a JSON object")
    return request
