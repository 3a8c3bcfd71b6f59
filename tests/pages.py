"""The parts of the documentation that the program itself knows: its settings and its command line.

    python -m tests.pages

writes them anew, into docs/operations.md and docs/jwpingd.1.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from jwpingd import cli
from jwpingd.config import APP_SETTINGS, SETTINGS, Setting, written_setting

DOCS = Path(__file__).parent.parent / "docs"
OPERATIONS, MANUAL = DOCS / "operations.md", DOCS / "jwpingd.1"

_BEGIN, _END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def main() -> None:
    """Write what is generated."""
    OPERATIONS.write_text(with_settings(OPERATIONS.read_text()))
    MANUAL.write_text(manual())


# --- settings -------------------------------------------------------------------------------------


def with_settings(page: str) -> str:
    """The page with its table of settings as the program has them."""
    table = "\n".join(_settings_lines()) + "\n"
    return re.sub(f"{_BEGIN}.*?{_END}", lambda _match: _BEGIN + table + _END, page, flags=re.DOTALL)


def _settings_lines() -> Iterator[str]:
    yield "| setting | default | allowed | what it is for |"
    yield "|---|---|---|---|"
    for dotted, setting in SETTINGS.items():
        yield _settings_line(f"`{dotted}`", setting)
    for key, setting in APP_SETTINGS.items():
        yield _settings_line(f"`apps[].{key}`", setting)


def _settings_line(name: str, setting: Setting) -> str:
    if setting.is_mandatory:
        default = "must be set"
    else:
        default = "–" if setting.is_unset else f"`{written_setting(setting, setting.default)}`"
    unit = f" ({setting.unit})" if setting.unit else ""
    cells = (name, default, setting.kind.words + unit, setting.comment)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


# --- the manual -----------------------------------------------------------------------------------


def manual() -> str:
    """jwpingd(1) in troff's man macros, from the parsers that also print `--help`."""
    lines = [_HEAD, *(line for name in cli.COMMANDS for line in _command_lines(name)), _TAIL]
    return "\n".join(lines)


def _command_lines(name: str) -> Iterator[str]:
    module = importlib.import_module(f"jwpingd.cli.{name}")
    parser = _subparsers(cli.parser(name, module))[name]
    yield f'.SS "jwpingd {_troff(name)}"'
    yield _troff(f"{parser.description or ''}")
    yield from _argument_lines(parser)
    yield ".PP\nExample:\n.PP\n.nf\n.RS\n" + _troff(str(module.EXAMPLE)) + "\n.RE\n.fi"


def _argument_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for name, inner in action.choices.items():
                yield f".TP\n.B {_troff(name)}\n{_troff(_sentence(helps.get(name)))}"
                if any(not isinstance(each, argparse._HelpAction) for each in inner._actions):
                    yield ".RS"
                    yield from _argument_lines(inner)
                    yield ".RE"
        elif not isinstance(action, argparse._HelpAction):
            yield f".TP\n{_term(action)}\n{_troff(_sentence(_help(action, parser)))}"


def _term(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    value = "" if action.nargs == 0 else f"\\fI{_troff(metavar)}\\fR"
    if not action.option_strings:
        return value + (" …" if action.nargs in ("*", "+") else "")
    names = ", ".join(f"\\fB{_troff(option)}\\fR" for option in action.option_strings)
    if action.nargs == "?":
        value = f"[{value}]"
    return f"{names} {value}".strip()


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    return (action.help or "") % (vars(action) | {"prog": parser.prog})


def _sentence(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    choices: dict[str, argparse.ArgumentParser] = action.choices
    return choices


def _troff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)


_HEAD = r"""." Written by `python -m tests.pages`; change the commands in jwpingd/cli instead.
.TH JWPINGD 1
.SH NAME
jwpingd \- player events on a TV box to JW Player OTT pings
.SH SYNOPSIS
.B jwpingd
.I COMMAND
[\fIOPTION\fR …]
.SH DESCRIPTION
Players on the box write their events to a Unix socket, one JSON object a line.
.B jwpingd run
follows each playback, turns it into pings, keeps every ping safe on flash, and delivers it, now or when the
network is back.
The other commands look at it, try it, and put it into an image.
.SH COMMANDS""".replace('."', '.\\"', 1)

_TAIL = r"""
.SH EXIT STATUS
.TP
.B 0
All is well.
.TP
.B 1
Something failed; standard error says what, and what to do.
.TP
.B 2
The command line is wrong.
.TP
.B 78
The configuration is wrong; every problem is told.
.TP
.B 130
Interrupted with Ctrl\-C.
.SH FILES
.TP
.I /etc/jwpingd/config.toml, /etc/jwpingd/conf.d/*.toml
The configuration; later files win, key by key.
.TP
.I /var/lib/jwpingd
The store, the ids, and what is known of the clock.
.TP
.I /run/jwpingd/player.sock
Where players connect.
.TP
.I /run/jwpingd/control.sock
Where
.BR "jwpingd status" ", " tap ", " queue " and " identity
ask.
.SH ENVIRONMENT
.TP
.B STATE_DIRECTORY, RUNTIME_DIRECTORY, CONFIGURATION_DIRECTORY
Other places for the same, as systemd sets them.
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
Stop within two seconds, whatever network and flash do.
.TP
.B SIGHUP
Read the configuration again; a bad one is refused and the old one stays.
"""

if __name__ == "__main__":
    main()
