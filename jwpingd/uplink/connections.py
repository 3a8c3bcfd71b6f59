"""The connections that are open: one for each GET in flight, at most, and the idle ones.

httpx and the TLS context come into memory here, in a thread, when the first ping must go.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from jwpingd.retry import Answer
from jwpingd.uplink.failure import Failure, FailureKind
from jwpingd.uplink.ports import Options
from jwpingd.writer import RunBlocking

if TYPE_CHECKING:
    import httpx

    from jwpingd.uplink.http import Connection, Http

_SWITCH_S = 0.001  # until the import lets others run; Python's own is 0.005

MakeTransport = Callable[[], "httpx.AsyncBaseTransport"]


class Connections:
    """Lends connections out, the last used first, so that no more are opened than are in use."""

    def __init__(
        self, options: Options, run_blocking: RunBlocking, make_transport: MakeTransport | None
    ) -> None:
        self._options = options
        self._run_blocking = run_blocking
        self._make_transport = make_transport
        self._http: Http | None = None
        self._loading = trio.Lock()
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._retired: list[Connection] = []

    @property
    def n_open(self) -> int:
        """Connections that wait for their next request, or to be closed."""
        return len(self._idle) + len(self._retired)

    async def ask(self, method: str, target: str) -> Answer | Failure:
        """One request over a connection of its own."""
        try:
            http = await self._load()
        except Exception as exc:
            # A CA file that is missing, say.  The flash it is on may come later, so it is tried again;
            # pings are stored meanwhile, whatever it is.
            return Failure(FailureKind.UNREACHABLE, "setup", self._why_not(exc))
        try:
            whole_target = http.prefix + target.encode("ascii")
        except UnicodeEncodeError:
            return Failure(FailureKind.UNSENDABLE, "unsendable", "the request target is not ASCII")
        return await self._ask(http, method, whole_target)

    def retire(self) -> None:
        """The network changed: connections of before may be dead without knowing, so none is used again."""
        self._retired += self._idle
        self._idle.clear()
        self._lent.clear()

    async def close_retired(self) -> None:
        """Close those that must not be used again."""
        while self._retired:
            await _close(self._retired.pop())

    async def close(self) -> None:
        """Close all that nobody uses."""
        self.retire()
        await self.close_retired()

    async def _ask(self, http: Http, method: str, target: bytes) -> Answer | Failure:
        connection = self._idle.pop() if self._idle else http.connect()
        self._lent.add(connection)
        result = None
        try:
            result = await connection.ask(method, target)
            return result
        finally:
            # After anything but an answer it is not used again: httpcore keeps a tunnel whose TLS failed, and
            # lets whoever asks over it next wait for ever.
            is_good = isinstance(result, Answer) and connection in self._lent
            self._lent.discard(connection)
            (self._idle if is_good else self._retired).append(connection)

    def _why_not(self, exc: Exception) -> str:
        if isinstance(exc, OSError) and self._options.ca_file is not None:
            return f"tls.ca_file = '{self._options.ca_file}' cannot be used: {exc.strerror or exc}"
        return " ".join(f"{type(exc).__name__}: {exc}".split())[:200]

    async def _load(self) -> Http:
        if self._http is not None and not self._loading.locked():  # Nobody overtakes those who waited for it.
            return self._http
        async with self._loading:
            if self._http is None:
                self._http = await self._run_blocking(lambda: _load(self._options, self._make_transport))
            return self._http


def _load(options: Options, make_transport: MakeTransport | None) -> Http:
    """In the thread: importing takes 60 ms here and several times that on a box."""
    # httpx takes its command line along where click and rich are installed: 7.8 MB for nothing.
    # It catches the ImportError that None makes.  If httpx is here already, the harm is done.
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None blocks an import.
    usual_s = sys.getswitchinterval()
    # The event loop gets its turn after a fifth of the usual time: players are not to notice this.
    sys.setswitchinterval(_SWITCH_S)
    try:
        from jwpingd.uplink.http import Http

        return Http(options, make_transport)
    finally:
        sys.setswitchinterval(usual_s)


async def _close(connection: Connection) -> None:
    with trio.CancelScope(shield=True):  # Closing only lets go of the socket; it does not wait for anyone.
        await connection.aclose()
