"""The daemon's side: answers commands until cancelled, a few at a time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import trio

from jwpingd.control.lines import MAX_REQUEST_BYTES, VERSION
from jwpingd.errors import OperatorError
from jwpingd.sockets import credentials
from jwpingd.sockets.door import Door

MAX_CLIENTS = 8  # more operators than that at once is a mistake
REQUEST_TIMEOUT_S = 5.0  # to ask and be answered; what is followed takes as long as it likes

Request = Mapping[str, Any]
Answer = Mapping[str, Any]
Followed = AsyncGenerator[Answer, None]


class Commands(NamedTuple):
    """What can be asked.  Either kind raises OperatorError to refuse.

    One of `answers` gives its answer.  One of `followed` gives a generator; the operator gets an empty
    object first, and then all that comes until it hangs up.
    """

    answers: Mapping[str, Callable[[Request], Awaitable[Answer]]]
    followed: Mapping[str, Callable[[Request], Followed]] = MappingProxyType({})

    async def answer(self, request: Request) -> tuple[Answer, Followed | None]:
        """The first answer, and what follows it."""
        name = str(request.get("command"))
        if name in self.answers:
            return await self.answers[name](request), None
        if name in self.followed:
            return {}, self.followed[name](request)
        raise OperatorError(f"unknown command {name!r}; known: {', '.join([*self.answers, *self.followed])}")


async def serve(door: Door, commands: Commands) -> None:
    """Answer commands until cancelled."""
    limit = trio.CapacityLimiter(MAX_CLIENTS)
    async with trio.open_nursery() as nursery:
        while True:
            try:
                sock, _ = (await door.wait_somebody()).accept()
            except OSError:
                await trio.sleep(0.1)
                continue
            sock.setblocking(False)
            if limit.available_tokens < 1:
                _refuse_one_more(sock)
                continue
            nursery.start_soon(_serve_one, sock, commands, limit)


def _refuse_one_more(sock: socket.socket) -> None:
    problem = f"{MAX_CLIENTS} others are asking jwpingd already; end one, such as a jwpingd tap"
    with sock, contextlib.suppress(OSError):
        sock.send(json.dumps({"error": problem}).encode() + b"\n")


async def _serve_one(sock: socket.socket, commands: Commands, limit: trio.CapacityLimiter) -> None:
    async with limit, trio.SocketStream(trio.socket.from_stdlib_socket(sock)) as stream:
        followed: Followed | None = None
        with trio.move_on_after(REQUEST_TIMEOUT_S):
            answer, followed = await _answer(sock, stream, commands)
            await _send(stream, answer)
        if followed is not None:
            async with contextlib.aclosing(followed):
                await _send_all(stream, followed)


async def _send(stream: trio.SocketStream, answer: Answer) -> None:
    with contextlib.suppress(trio.BrokenResourceError):  # The operator has hung up.
        await stream.send_all(json.dumps(answer).encode() + b"\n")


async def _send_all(stream: trio.SocketStream, followed: Followed) -> None:
    """Until the operator hangs up.  One that does not read holds up nobody else."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_at_end, stream, nursery.cancel_scope)
        async for answer in followed:
            await _send(stream, answer)
        nursery.cancel_scope.cancel()


async def _cancel_at_end(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        while await stream.receive_some(4096):
            pass
    scope.cancel()


async def _answer(
    sock: socket.socket, stream: trio.SocketStream, commands: Commands
) -> tuple[Answer, Followed | None]:
    try:
        _refuse_strangers(sock)
        return await commands.answer(await _read_request(stream))
    except OperatorError as error:
        return {"error": str(error)}, None
    except Exception as exc:  # A question, whatever it is, must not end the daemon.
        return {"error": f"internal error, {type(exc).__name__}: {exc}"}, None


def _refuse_strangers(sock: socket.socket) -> None:
    uid = credentials.peer(sock).uid
    if uid not in (0, os.geteuid()):
        raise OperatorError(f"only root and the user that jwpingd runs as may ask it, not uid {uid}")


async def _read_request(stream: trio.SocketStream) -> Request:
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
    if request.get("version") != VERSION:
        raise OperatorError(
            f"this jwpingd speaks version {VERSION} of the control protocol; ask with its own jwpingd"
        )
    return request
