"""One request, one answer.  This module and `transport` know httpx, and so they are imported late.

Transports are used without a client around them: no redirects, no cookies, no decoding, nothing
from the environment, and half the cost per ping.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import trio

from jwpingd import __version__
from jwpingd.retry import Answer
from jwpingd.uplink.failure import Failure, FailureKind, system_words
from jwpingd.uplink.ports import Options
from jwpingd.uplink.transport import DirectTransport

IDLE_EXPIRY_S = 60.0  # A playing box pings more often than that; an idle one should hold no connection.
MAX_BODY_BYTES = 64 * 1024  # The answer is a GIF of 43 bytes; whatever is longer is not read to its end.
MAX_CHUNKS = 1024  # Tiny ones cost as much time as a long body.
HASHED_CERTIFICATES = Path("/etc/ssl/certs")

# TCP and TLS may take this share each.  The rest is kept back, so that a silent network shows as what
# it is: no connection, which says nothing about the ping.  And behind a proxy, httpcore closes a socket whose
# handshake timed out, but not one whose handshake was cancelled.
_CONNECT_SHARE = 0.45


class Http:
    """Opens connections to one collector.  Made in a thread, because it reads certificates."""

    def __init__(
        self, options: Options, make_transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    ) -> None:
        silence_loggers()
        scheme, _, rest = options.collector_url.rstrip("/").partition("://")
        host, slash, path = rest.partition("/")
        self.prefix = f"{slash}{path}".encode("ascii")  # Sent as it is written, like everything in a target.
        self._options = options
        self._url = httpx.URL(f"{scheme}://{host}")
        self._headers = {
            "Host": self._url.netloc.decode("ascii"),
            "User-Agent": options.user_agent or f"jwpingd/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        self._where = self._url.netloc.decode("ascii")
        if options.proxy is not None:
            self._where += f" through the proxy {httpx.URL(options.proxy).netloc.decode('ascii')}"
        self._make_transport = make_transport or self._transports(scheme)

    def connect(self) -> Connection:
        """A connection, made when it is first used."""
        request = httpx.Request(
            "GET",
            self._url,
            headers=self._headers,
            stream=httpx.ByteStream(b""),
            extensions={"timeout": {"connect": self._options.timeout_s * _CONNECT_SHARE}},
        )
        return Connection(self._make_transport(), request, self._options.timeout_s, self._where)

    def _transports(self, scheme: str) -> Callable[[], httpx.AsyncBaseTransport]:
        context = tls_context(self._options.ca_file) if scheme == "https" else None
        if self._options.proxy is None:
            return lambda: DirectTransport(self._url, context, IDLE_EXPIRY_S)
        # Without TLS there is nothing to verify: a context that trusts nobody, which costs nothing.
        verify = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_EXPIRY_S)
        proxy = _proxy(self._options.proxy, verify)

        def make_transport() -> httpx.AsyncBaseTransport:
            return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits, proxy=proxy)

        make_transport()  # A proxy that cannot be used is better found here than by every ping.
        return make_transport


class Connection:
    """One kept-alive connection, for one request at a time; `where` it leads, for people."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request, timeout_s: float, where: str
    ) -> None:
        self._transport = transport
        self._request = request
        self._url = request.url
        self._timeout_s = timeout_s
        self._where = where

    async def ask(self, method: str, target: bytes) -> Answer | Failure:
        """Send `target` byte for byte; what came back.  Takes `timeout_s` at most, and does not raise."""
        if not _SENDABLE.fullmatch(target):
            return Failure(FailureKind.UNSENDABLE, "unsendable", "forbidden characters in the request target")
        self._request.method = method
        self._request.url = _ExactUrl(self._url, target)
        answer = None
        with trio.move_on_after(self._timeout_s) as scope:
            try:
                response = await self._transport.handle_async_request(self._request)
                answer = _answer(response)
                await _finish(response, scope)
            except Exception as exc:
                # Anything at all: a fault in the library must cost one try, not the daemon.  And
                # a status that arrived counts, whatever happened to the picture after it.
                return answer or _failure(exc, self._where)
        return answer or Failure(FailureKind.NOT_TAKEN, "timeout", f"no answer within {self._timeout_s:g} s")

    async def aclose(self) -> None:
        """Close it now; it may not be used any more."""
        await self._transport.aclose()


def tls_context(ca_file: Path | None, hashed_certificates: Path = HASHED_CERTIFICATES) -> ssl.SSLContext:
    """Verifies names and certificates, always: by `ca_file` alone, or by what the system trusts."""
    context = _trusting(ca_file, hashed_certificates)
    context.set_alpn_protocols(["http/1.1"])
    return context


def silence_loggers() -> None:
    """httpx and httpcore log request targets, which identify users."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


# --- how it is done -------------------------------------------------------------------------------

_SENDABLE = re.compile(rb"/[!-~]*")  # what h11 lets through, RFC 9112 §3.2
_OUT_OF_TIME = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_HASHED_LINK = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # as `openssl rehash` names them


class _ExactUrl(httpx.URL):
    """Origin of `url`, and a target that httpx neither reads nor normalises.

    Not the request extension "target": httpcore would send it to a proxy in place of the host.
    """

    def __init__(self, url: httpx.URL, target: bytes) -> None:
        super().__init__(url)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        return self._target


def _trusting(ca_file: Path | None, hashed_certificates: Path) -> ssl.SSLContext:
    if ca_file is not None:
        return ssl.create_default_context(cafile=ca_file)
    is_told_otherwise = os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}
    if not is_told_otherwise and _has_hashed_links(hashed_certificates):
        # Certificates are then read one by one as they are needed: 0.1 ms instead of 20 ms and 1.2 MB.
        return ssl.create_default_context(capath=hashed_certificates)
    return ssl.create_default_context()


def _proxy(url: str, context: ssl.SSLContext) -> httpx.Proxy:
    return httpx.Proxy(url, ssl_context=context if url.startswith("https:") else None)


def _has_hashed_links(directory: Path) -> bool:
    try:
        return any(_HASHED_LINK.fullmatch(name) for name in os.listdir(directory))
    except OSError:
        return False


def _answer(response: httpx.Response) -> Answer:
    fields = response.headers
    # What a cache kept has the Date of when it was made (RFC 9111 §5.1): no clock.
    date = None if "age" in fields else fields.get("date")
    return Answer(response.status_code, fields.get("content-type"), fields.get("retry-after"), date)


async def _finish(response: httpx.Response, scope: trio.CancelScope) -> None:
    """Read the body to its end, so that the connection can be used again; a long one is cut off."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    n_bytes = n_chunks = 0
    try:
        async for chunk in response.stream:
            n_bytes, n_chunks = n_bytes + len(chunk), n_chunks + 1
            if n_bytes > MAX_BODY_BYTES or n_chunks > MAX_CHUNKS:
                scope.cancel()  # Rather than left: a cancellation ends every layer below in order.
                await trio.lowlevel.checkpoint()  # What is there already would be read without one.
    finally:
        await response.stream.aclose()


def _failure(exc: Exception, where: str) -> Failure:
    text = " ".join(str(exc).split())[:200]
    refused = _certificate_error(exc)
    if refused is not None:
        return Failure(
            FailureKind.UNREACHABLE,
            "certificate",
            f"certificate not accepted: {refused.verify_message}",
            is_certificate_error=True,
            is_out_of_time=refused.verify_code in _OUT_OF_TIME,
        )
    name = type(exc).__name__
    if isinstance(exc, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
        said = system_words(exc) or text or name
        return Failure(FailureKind.UNREACHABLE, name, f"no connection to {where}: {said}")
    # Other libraries' texts may quote what was sent, so only httpx's own are shown.
    is_text_safe = isinstance(exc, httpx.TransportError)
    return Failure(FailureKind.NOT_TAKEN, name, text if text and is_text_safe else name)


def _certificate_error(exc: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Why the collector's certificate was not accepted, if that is at the bottom of it."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return exc
        exc = exc.__cause__ or exc.__context__
    return None
