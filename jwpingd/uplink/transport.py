"""The way to a collector without a proxy: one connection that is kept, h11 over a stream of trio.

httpx's own transport stands on the same two.  What it has between them, a pool, locks and traces for many
requests on many connections, is half the CPU of a request.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import h11
import httpx
import trio

MAX_HEAD_BYTES = 100 * 1024  # As httpcore has it.  No honest server's headers are that long.
MAX_INTERIM_ANSWERS = (
    16  # Of "103 Early Hints" and the like; without an end they would cost CPU to the timeout.
)


class DirectTransport(httpx.AsyncBaseTransport):
    """For one request at a time, without a body, to the host of `url`; without a `context`, without TLS.

    The connection is made by the first request, and anew where it ended or was idle for `idle_expiry_s`.
    Knows no timeout but that of connecting, for TCP and TLS each.  Raises httpx's exceptions.
    """

    def __init__(self, url: httpx.URL, context: ssl.SSLContext | None, idle_expiry_s: float) -> None:
        self._host = url.raw_host  # As text it would be encoded again, by codecs that nobody else needs.
        self._port = url.port or (80 if context is None else 443)
        self._context = context
        self._idle_expiry_s = idle_expiry_s
        self._wire: _Wire | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer; its body is the stream.  Closing that frees the connection for the next."""
        if self._wire is None or not self._wire.is_ready():
            await self.aclose()
            self._wire = await self._connect(request.extensions["timeout"]["connect"])
        answer = await self._wire.ask(request)
        return httpx.Response(answer.status_code, headers=answer.headers.raw_items(), stream=self._wire)

    async def aclose(self) -> None:
        """Let go of the socket, if there is one."""
        if self._wire is not None:
            await self._wire.break_off()

    async def _connect(self, within_s: float) -> _Wire:
        with _told_as(httpx.ConnectError):
            with trio.fail_after(within_s):
                raw = await trio.open_tcp_stream(self._host, self._port)
            if self._context is None:
                return _Wire(raw, raw.socket, self._idle_expiry_s)
            try:
                stream = trio.SSLStream(raw, self._context, server_hostname=self._host, https_compatible=True)
                with trio.fail_after(within_s):
                    await stream.do_handshake()
            except BaseException:
                await trio.aclose_forcefully(raw)
                raise
            return _Wire(stream, raw.socket, self._idle_expiry_s)


class _Wire(httpx.AsyncByteStream):
    """An open connection and the state of HTTP on it; to its reader, the body of the answer of the moment."""

    def __init__(self, stream: trio.abc.Stream, socket: trio.socket.SocketType, idle_expiry_s: float) -> None:
        self._stream = stream
        self._socket = socket
        self._idle_expiry_s = idle_expiry_s
        self._expires_at = trio.current_time() + idle_expiry_s
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    def is_ready(self) -> bool:
        """Whether it takes another request.  A server has nothing to say unasked but that it hangs up."""
        is_fresh = self._http.our_state is h11.IDLE and trio.current_time() < self._expires_at
        return is_fresh and not self._socket.is_readable()

    async def ask(self, request: httpx.Request) -> h11.Response:
        """The head of the answer."""
        try:
            with _told_as(httpx.WriteError):
                await self._stream.send_all(self._bytes(request))
            for _ in range(1 + MAX_INTERIM_ANSWERS):
                if isinstance(event := await self._next_event(), h11.Response):
                    return event
            raise httpx.RemoteProtocolError(f"more than {MAX_INTERIM_ANSWERS} interim answers (1xx)")
        except BaseException:
            await self.break_off()
            raise

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        event = await self._next_event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """The answer was read, or is not wanted; only one that was read to its end leaves a way for more."""
        is_read = self._http.our_state is self._http.their_state is h11.DONE
        # Whatever comes after it would be taken for the answer to the next request.
        if not is_read or self._http.trailing_data[0] or self._has_sealed():
            await self.break_off()
            return
        self._http.start_next_cycle()
        self._expires_at = trio.current_time() + self._idle_expiry_s

    async def break_off(self) -> None:
        """Close it without a word: no peer can hold this up."""
        self._http.send_failed()
        await trio.aclose_forcefully(self._stream)

    def _has_sealed(self) -> bool:
        """Whether records of TLS were received that nobody has opened; trio has no public name for them."""
        sealed: ssl.MemoryBIO | None = getattr(self._stream, "_incoming", None)
        return sealed is not None and sealed.pending > 0

    def _bytes(self, request: httpx.Request) -> bytes:
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        return (self._http.send(head) or b"") + (self._http.send(h11.EndOfMessage()) or b"")

    async def _next_event(self) -> object:
        with _told_as(httpx.ReadError):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._stream.receive_some()
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
                self._http.receive_data(bytes(data))
        return event


@contextmanager
def _told_as(broken: type[httpx.NetworkError]) -> Iterator[None]:
    """What the layers below raise becomes httpx's; what the network did becomes `broken`."""
    try:
        yield
    except trio.TooSlowError as exc:
        raise httpx.ConnectTimeout(str(exc)) from exc
    except (OSError, trio.BrokenResourceError) as exc:
        raise broken(str(exc)) from exc
    except h11.RemoteProtocolError as exc:
        raise httpx.RemoteProtocolError(str(exc)) from exc
    except h11.LocalProtocolError as exc:
        raise httpx.LocalProtocolError(str(exc)) from exc
