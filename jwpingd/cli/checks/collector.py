"""Whether the collector answers: one HEAD, no ping."""

from __future__ import annotations

import base64
import email.utils
import http.client
import ssl
import time
from urllib.parse import unquote, urlsplit

from jwpingd.cli.checks.section import Section
from jwpingd.config import Config, written

_TIMEOUT_S = 5.0  # Someone is waiting at the terminal.
_MAX_SKEW_S = 300.0  # What a time service keeps by far, and people notice on a clock.


def collector(config: Config, *, is_asked: bool = True) -> Section:
    """Any HTTP answer shows that the way is open; none is a warning, for boxes may be offline."""
    rows = [("url", config.collector_url)]
    if config.uplink.proxy:
        rows.append(("through", written(config.uplink.proxy).strip('"')))
    try:
        context = _tls_context(config)
    except (OSError, ssl.SSLError) as exc:
        failure = f"tls.ca_file = {config.tls.ca_file}: {exc.strerror or exc}"
        return Section("collector", ("what", "value"), tuple(rows), failures=(failure,))
    if not is_asked:
        return Section("collector", ("what", "value"), (*rows, ("answer", "not asked for")))
    try:
        status, skew_s = _ask(config, context)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return Section("collector", ("what", "value"), tuple(rows), (_in_words(exc),))
    rows.append(("answer", f"HTTP status {status}"))
    warnings = []
    if skew_s is not None:
        rows.append(("its clock", f"{abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead of'} this box's"))
        if abs(skew_s) > _MAX_SKEW_S:
            warnings.append("this box's clock and the collector's differ; one of them is wrong")
    return Section("collector", ("what", "value"), tuple(rows), tuple(warnings))


def _tls_context(config: Config) -> ssl.SSLContext:
    """The system's authorities, or the configured ones in their place.  Raises OSError."""
    return ssl.create_default_context(cafile=config.tls.ca_file)


def _ask(config: Config, context: ssl.SSLContext) -> tuple[int, float | None]:
    """(HTTP status, this box's clock minus the collector's in seconds, None if it tells none)."""
    connection = _connection(config, context)
    try:
        connection.request("HEAD", "/")
        answer = connection.getresponse()
    finally:
        connection.close()
    date = email.utils.parsedate_to_datetime(answer.headers["Date"]) if answer.headers["Date"] else None
    return answer.status, None if date is None else time.time() - date.timestamp()


def _connection(config: Config, context: ssl.SSLContext) -> http.client.HTTPConnection:
    target, proxy = urlsplit(config.collector_url), urlsplit(config.uplink.proxy or "")
    host = target.hostname or ""
    if not proxy.hostname:
        return _direct(target.scheme, host, target.port, context)
    if proxy.scheme == "https":
        raise ValueError("not tried: this check cannot go through a proxy that is itself spoken to in TLS")
    connection = _direct(target.scheme, proxy.hostname, proxy.port or 80, context)
    connection.set_tunnel(host, target.port, _credentials(proxy.username, proxy.password))
    return connection


def _direct(scheme: str, host: str, port: int | None, context: ssl.SSLContext) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair).decode()}


def _in_words(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {exc.verify_message} (is this box's clock right?)"
    if isinstance(exc, TimeoutError):
        return f"it does not answer within {_TIMEOUT_S:g} s; pings wait until it does"
    # A stranger's words may have control characters, and end their line.
    said = exc.strerror if isinstance(exc, OSError) and exc.strerror else ascii(str(exc).strip())[1:-1]
    return f"it cannot be reached: {said}; pings wait until it can (see network, DNS, uplink.proxy)"
