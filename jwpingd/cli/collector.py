"""`jwpingd collector`: a local collector that checks and totals every ping, in fair weather or foul."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import ssl
import sys
from functools import partial

import trio

from jwpingd.collector import Collector, Received, Weather, bind, serve
from jwpingd.collector.lines import HEADING, ping_lines, report_lines
from jwpingd.errors import OperatorError, UsageError

EXAMPLE = "jwpingd collector --port 8080 --fail 503:0.2 --delay 0.5"

_DEFAULT_PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, what to print, and which bad days to have."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=_DEFAULT_PORT, help="0: any free one (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if anything was violated")
    parser.add_argument("--certfile", metavar="FILE", help="speak TLS with this certificate chain (PEM)")
    parser.add_argument("--keyfile", metavar="FILE", help="its private key, if it is in a file of its own")
    _add_weather(parser.add_argument_group("bad days"))


def run(args: argparse.Namespace) -> int:
    """Collects until SIGINT or SIGTERM, then reports."""
    weather, tls = _weather(args), _tls(args)
    screen = _JsonScreen() if args.json else _PeopleScreen()
    bound = _bind(args.host, args.port)
    collector = Collector(on_ping=screen.ping)
    trio.run(_collect, bound, collector, weather, tls, screen)
    screen.report(collector)
    return 1 if args.strict and collector.n_violations() else 0


async def _collect(
    bound: socket.socket,
    collector: Collector,
    weather: Weather,
    tls: ssl.SSLContext | None,
    screen: _Screen,
) -> None:
    url = _url(bound, "https" if tls else "http")
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, [bound], collector, weather, tls=tls))
            screen.listening(url)
            await anext(signals)
            nursery.cancel_scope.cancel()


class _PeopleScreen:
    """Prints for people; in colour only on a terminal."""

    def __init__(self) -> None:
        self._is_coloured = sys.stdout.isatty()

    def listening(self, url: str) -> None:
        _print(f"listening on {url}; open it in a browser, stop with Ctrl-C\n{HEADING}")

    def ping(self, received: Received) -> None:
        _print(ping_lines(received, is_coloured=self._is_coloured))

    def report(self, collector: Collector) -> None:
        _print("\n" + report_lines(collector, is_coloured=self._is_coloured))


class _JsonScreen:
    """Prints for programs: one object a line."""

    def listening(self, url: str) -> None:
        _print(json.dumps({"listening": url}))

    def ping(self, received: Received) -> None:
        _print(json.dumps(received.as_json(), ensure_ascii=False))

    def report(self, collector: Collector) -> None:
        _print(json.dumps({"report": collector.report()}, ensure_ascii=False))


_Screen = _PeopleScreen | _JsonScreen


def _print(text: str) -> None:
    # A terminal may not know UTF-8 (LANG=C on many boxes); a title must not end the collector.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _add_weather(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--fail",
        metavar="STATUS:SHARE",
        type=_failure,
        action="append",
        default=[],
        help="answer that share of the pings with that status and do not take them; may be repeated",
    )
    group.add_argument("--reset", metavar="SHARE", type=float, default=0.0, help="reset, not taken")
    group.add_argument(
        "--lose-answer", metavar="SHARE", type=float, default=0.0, help="taken, then reset: makes duplicates"
    )
    group.add_argument("--delay", metavar="SECONDS", type=_seconds, default=0.0, help="before every answer")
    group.add_argument(
        "--offline",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="refuse connections for so long first",
    )
    group.add_argument("--seed", type=int, default=0, help="another order of bad luck (default: %(default)s)")


def _weather(args: argparse.Namespace) -> Weather:
    try:
        return Weather(
            fail_shares=dict(args.fail),
            reset_share=args.reset,
            lost_answer_share=args.lose_answer,
            delay_s=args.delay,
            offline_s=args.offline,
            seed=args.seed,
        )
    except ValueError as exc:
        raise UsageError(f"{exc}; see --fail, --reset, --lose-answer, --delay, --offline") from exc


def _failure(text: str) -> tuple[int, float]:
    status, _, share = text.partition(":")
    if not (status.isascii() and status.isdigit() and 300 <= int(status) <= 599):
        raise argparse.ArgumentTypeError(f"{text!r}: STATUS:SHARE, such as 503:0.2, status 300 to 599")
    try:
        return int(status), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: the share must be a number from 0 to 1") from None


def _seconds(text: str) -> float:
    """Seconds, with or without their unit."""
    try:
        return float(text.removesuffix("s"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: seconds, such as 10 or 0.5s") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def _tls(args: argparse.Namespace) -> ssl.SSLContext | None:
    if args.certfile is None:
        if args.keyfile is not None:
            raise UsageError("--keyfile needs --certfile")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(args.certfile, args.keyfile)
    except OSError as exc:  # ssl.SSLError is one.
        message = f"cannot use the certificate {args.certfile}: {exc.strerror or exc}; both files must be PEM"
        raise OperatorError(message) from exc
    return context


def _bind(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except OSError as exc:
        raise OperatorError(
            f"cannot listen on {host} port {port}: {exc.strerror}; choose another with --port (0: any)"
        ) from exc


def _url(bound: socket.socket, scheme: str) -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
