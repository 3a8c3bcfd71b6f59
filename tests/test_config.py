"""Configuration files and overrides become a `Config`, or every problem in them is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.cli import early
from jwpingd.cli.early import Options
from jwpingd.config import SETTINGS, Config, Loaded, load
from jwpingd.config.sections import SECTIONS
from jwpingd.errors import ConfigError, Problem
from jwpingd.events import Consent

ID = "a17e8PTFFffxLgpVuA4vVw"
GIVEN_ID = f"analytics_id={ID}"


def loaded(directory: Path, text: str, *overrides: str) -> Loaded:
    """What a file with `text` gives."""
    file = directory / "config.toml"
    file.write_text(text)
    return load([file], overrides)


def problems_of(directory: Path, text: str, *overrides: str) -> list[Problem]:
    """The problems with a file with `text`; an analytics id is given."""
    with pytest.raises(ConfigError) as refused:
        loaded(directory, text, GIVEN_ID, *overrides)
    assert refused.value.exit_status == 78
    return list(refused.value.problems)


# --- what is taken --------------------------------------------------------------------------


def test_only_the_analytics_id_must_be_given(tmp_path: Path) -> None:
    """A file with the analytics id alone gives the defaults."""
    assert loaded(tmp_path, f'analytics_id = "{ID}"').config == Config(ID)


@pytest.mark.parametrize(
    ("text", "dotted", "value"),
    [
        ('collector_url = "https://example.com/"', "collector_url", "https://example.com"),
        ('collector_url = "HTTPS://Example.com:8443"', "collector_url", "https://example.com:8443"),
        ('collector_url = "https://example.com.:8443"', "collector_url", "https://example.com:8443"),
        ('collector_url = "http://127.0.0.2:8080"', "collector_url", "http://127.0.0.2:8080"),
        ('collector_url = "http://[::1]:8080"', "collector_url", "http://[::1]:8080"),
        ('collector_url = "http://localhost"', "collector_url", "http://localhost"),
        ("[session]\nresume_s = 5", "session.resume_s", 5.0),
        ('[socket]\nmode = "0600"', "socket.mode", 0o600),
        ("[socket]\nmode = 0o600", "socket.mode", 0o600),
        ("socket.mode = 0o640", "socket.mode", 0o640),
        ('[socket]\npath = "/run/a"', "socket.path", Path("/run/a")),
        ('[socket]\nallow_users = ["tv", "1000"]', "socket.allow_users", ("tv", "1000")),
        ('[privacy]\nconsent = "anonymous"', "privacy.consent", Consent.ANONYMOUS),
        ('[device]\nos = "Fire TV"', "device.os", "Fire TV"),
        ('[device]\nos = "RDK"\nallow_unlisted_os = true', "device.os", "RDK"),
        ("[device]\nsdk = 0", "device.sdk", 0),
        ('[player]\nping_spec_version = "1.0.0-rc.1+b"', "player.ping_spec_version", "1.0.0-rc.1+b"),
        ('[identity]\nadvertising_id = "generate"', "identity.advertising_id", "generate"),
        (
            '[uplink]\nproxy = "http://user:p%40ss@proxy:3128"',
            "uplink.proxy",
            "http://user:p%40ss@proxy:3128",
        ),
    ],
)
def test_values_that_are_taken(tmp_path: Path, text: str, dotted: str, value: object) -> None:
    """A valid value arrives in the setting's own type."""
    assert value_of(loaded(tmp_path, text, GIVEN_ID).config, dotted) == value


def value_of(config: Config, dotted: str) -> object:
    """The value of a dotted key."""
    value: object = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def test_app_rules_add_up(tmp_path: Path) -> None:
    """[[apps]] entries of all files and overrides are kept, in order, each with its origin."""
    (tmp_path / "a.toml").write_text(
        f'analytics_id = "{ID}"\n[[apps]]\nmatch = {{ exe = "/a" }}\nid = "a"\n\n'
        '[[apps]]\nmatch.unit = "b"\nid = "b"'
    )
    (tmp_path / "b.toml").write_text('apps = [{ match = { user = "tv", app = "x" }, version = "3" }]')
    result = load([tmp_path / "a.toml", tmp_path / "b.toml"])
    assert [(dict(rule.match), rule.id, rule.version) for rule in result.config.apps] == [
        ({"exe": "/a"}, "a", None),
        ({"unit": "b"}, "b", None),
        ({"user": "tv", "app": "x"}, None, "3"),
    ]
    origins = [result.origins[f"apps[{position}]"] for position in range(3)]
    assert origins == [f"{tmp_path}/a.toml:2", f"{tmp_path}/a.toml:6", f"{tmp_path}/b.toml:1"]


def test_later_sources_win_key_by_key(tmp_path: Path) -> None:
    """Defaults, then files in order, then overrides; the origin says which it was."""
    (tmp_path / "1.toml").write_text(f'analytics_id = "{ID}"\n[spool]\nmax_age_days = 1\nmemory_max = 1\n')
    (tmp_path / "2.toml").write_text("# more\nspool.memory_max = 2\n[uplink]\nconcurrency = 2")
    result = load([tmp_path / "1.toml", tmp_path / "2.toml"], ["uplink.concurrency=3"])
    assert (result.config.spool.max_age_days, result.config.spool.memory_max) == (1, 2)
    assert result.config.uplink.concurrency == 3
    assert result.origins["spool.max_age_days"] == f"{tmp_path}/1.toml:3"
    assert result.origins["spool.memory_max"] == f"{tmp_path}/2.toml:2"
    assert result.origins["uplink.concurrency"] == "--set"
    assert result.origins["log.level"] == "default"
    assert result.origins.keys() == SETTINGS.keys()


@pytest.mark.parametrize(
    ("override", "dotted", "value"),
    [
        ("log.level=debug", "log.level", "debug"),
        ('log.level="debug"', "log.level", "debug"),
        ("collector_url=http://127.0.0.1:80", "collector_url", "http://127.0.0.1:80"),
        ("app.version=1.10", "app.version", "1.10"),
        ("app.id=true", "app.id", "true"),
        ("app.id=a=b", "app.id", "a=b"),
        ("socket.mode=0640", "socket.mode", 0o640),
        ("socket.mode=440", "socket.mode", 0o440),
        ("socket.mode=0o440", "socket.mode", 0o440),
        ("uplink.max_per_s=7", "uplink.max_per_s", 7.0),
        ("uplink={max_per_s=7}", "uplink.max_per_s", 7.0),
        ('socket.allow_users=["tv"]', "socket.allow_users", ("tv",)),
        ("device.model= Box 3", "device.model", "Box 3"),
    ],
)
def test_overrides(override: str, dotted: str, value: object) -> None:
    """The value of --set is TOML where that fits the key, else the text as it stands."""
    result = load([], [GIVEN_ID, override])
    assert value_of(result.config, dotted) == value
    assert result.origins[dotted] == "--set"


def test_doubtful_values_are_warned_of(tmp_path: Path) -> None:
    """A rule without effect and an sdk against the interface's table are taken, with a warning."""
    text = '[device]\nos = "Fire TV"\nsdk = 1\n[[apps]]\nmatch.exe = "/a"'
    warnings = loaded(tmp_path, text, GIVEN_ID).warnings
    assert [(warning.line, warning.key) for warning in warnings] == [(4, "apps[0]"), (3, "device.sdk")]


# --- what is refused ------------------------------------------------------------------------

REFUSED = [
    # (text, line, key, value, part of the message)
    ('colector_url = "x"', 1, "colector_url", '"x"', 'did you mean "collector_url"?'),
    ("[spool]\n\nmax-bytes = 3", 3, "spool.max-bytes", "3", 'did you mean "max_bytes"?'),
    ("[spool]\ntimeout_s = 3", 2, "spool.timeout_s", "3", 'did you mean "uplink.timeout_s"?'),
    ("timeout_s = 3", 1, "timeout_s", "3", 'did you mean "uplink.timeout_s"?'),
    ("[log]\nqqqqqq = 3", 2, "log.qqqqqq", "3", "there are: level"),
    ("[sokcet]\nmode = 1", 1, "sokcet", "{…}", 'did you mean "socket"?'),
    ("[[app]]\nid = 'x'", 1, "app", "[{…}]", "[app] on a line of its own"),
    ('"app.id" = "x"', 1, '"app.id"', '"x"', "is not a setting"),
    ("spool = 3", 1, "spool", "3", "must be a table"),
    ("apps = 3", 1, "apps", "3", "must be a list of tables"),
    ("apps = [1]", 1, "apps", "[1]", "must be a list of tables"),
    ("[[apps]]\nid = 'x'", 1, "apps[0].match", "", "at least one of exe, unit, user, app"),
    ("[[apps]]\nmatch = {}", 2, "apps[0].match", "{}", "at least one of exe, unit, user, app"),
    ("[[apps]]\nmatch.exee = '/a'", 2, "apps[0].match.exee", '"/a"', 'did you mean "exe"?'),
    ("[[apps]]\nmatch.exe = 1", 2, "apps[0].match.exe", "1", "must be a text"),
    (
        "[[apps]]\nmatch.exe='a'\n[[apps]]\nverson='1'\nmatch.exe='b'",
        4,
        "apps[1].verson",
        '"1"',
        '"version"',
    ),
    ("[uplink]\nconcurrency = 0", 2, "uplink.concurrency", "0", "a whole number from 1 to 64"),
    ("[uplink]\nconcurrency = true", 2, "uplink.concurrency", "true", "a whole number"),
    ("[uplink]\nconcurrency = 2.0", 2, "uplink.concurrency", "2.0", "a whole number"),
    ("[uplink]\ntimeout_s = nan", 2, "uplink.timeout_s", "nan", "a number from 0.1 to 300"),
    ("[uplink]\ntimeout_s = '3'", 2, "uplink.timeout_s", '"3"', "a number from 0.1 to 300"),
    ("[identity]\ninstall_id = 1", 2, "identity.install_id", "1", "true or false"),
    ("[privacy]\nconsent = 'anon'", 2, "privacy.consent", '"anon"', 'did you mean "anonymous"?'),
    ("[log]\nlevel = 'Warn'", 2, "log.level", '"Warn"', 'did you mean "warning"?'),
    ("[spool]\nmax_bytes = 1048575", 2, "spool.max_bytes", "1048575", "from 1048576"),
    ("[player]\nfeed_id = 'ON53iLo'", 2, "player.feed_id", '"ON53iLo"', "8 letters and digits"),
    ("[player]\npartner_id = 100", 2, "player.partner_id", "100", "from 1 to 99"),
    ("[player]\nping_spec_version = '1.0'", 2, "player.ping_spec_version", '"1.0"', "SemVer"),
    ("[device]\nsdk = 7", 2, "device.sdk", "7", "from 0 to 6"),
    ("[device]\nos = 'android tv'", 2, "device.os", '"android tv"', 'did you mean "Android TV"?'),
    ("[device]\nmodel = ''", 2, "device.model", '""', "a text of 1 to 512 characters"),
    ("[device]\nmodel = 'a\tb'", 2, "device.model", '"a\tb"', "a text of 1 to 512 characters"),
    ("[identity]\nadvertising_id = 'on'", 2, "identity.advertising_id", '"on"', "a UUID"),
    ("[socket]\nmode = 440", 2, "socket.mode", "440", '"0660" or 0o660'),
    ("[socket]\nmode = '0888'", 2, "socket.mode", '"0888"', '"0660" or 0o660'),
    ("[socket]\npath = 'run'", 2, "socket.path", '"run"', "absolute path"),
    ("[socket]\nallow_users = ['tv', 3]", 2, "socket.allow_users", '["tv", 3]', "a list"),
    ("[tls]\nca_file = 'ca.pem'", 2, "tls.ca_file", '"ca.pem"', "absolute path"),
    ("[uplink]\nretry_first_s = 400", 2, "uplink.retry_first_s", "400.0", "must not be longer"),
    ("[uplink]\nuser_agent = 'a\u00e9'", 2, "uplink.user_agent", '"a\u00e9"', "printable ASCII"),
    ("x = 0x" + "f" * 5000, 1, "x", "a number of very many digits", "is not a setting"),
    ("a = 1\nb = \nc = 1", 2, "file", '"b ="', "is not TOML: Invalid value"),
    ("a = 1\na = 2", 2, "file", '"a = 2"', "is not TOML"),
    ("[a", 1, "file", '"[a"', "is not TOML"),
    ("a = " + "[" * 5000, 0, "file", "", "nested too deeply"),
]


@pytest.mark.parametrize(("text", "line", "key", "value", "message"), REFUSED)
def test_problems_name_everything(
    tmp_path: Path, text: str, line: int, key: str, value: str, message: str
) -> None:
    """A mistake is told with file, line, key, value as written, and what to write instead."""
    (problem,) = problems_of(tmp_path, text)
    assert (problem.file, problem.line) == (str(tmp_path / "config.toml"), line)
    assert (problem.key, problem.value) == (key, value)
    assert message in problem.message


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com", "http://10.0.0.1", "http://localhost.example.com", "http://[::2]", "ftp://127.0.0.1",
        "https://", "https://user@example.com", "https://example.com/path", "https://example.com?q", "https://a#f",
        "https://example.com:0", "https://example.com:65536", "https://example.com:x", "https://[::1", "https://[z]",
        "https://exa mple.com", "https://example.com\\n", "https://ex\\u00e4mple.com", "example.com", "",
        "https://\\u212aa.com",
    ],
)  # fmt: skip
def test_collector_urls_that_are_refused(tmp_path: Path, url: str) -> None:
    """Only https anywhere or http on this box, and nothing besides host and port."""
    (problem,) = problems_of(tmp_path, f'collector_url = "{url}"')
    assert problem.key == "collector_url"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors begin every file with one; where a problem stands is not changed by it."""
    assert loaded(tmp_path, "\ufefflog.level = 'debug'", GIVEN_ID).config.log.level == "debug"
    (problem,) = problems_of(tmp_path, "\ufeffx = 1")
    assert (problem.line, problem.key) == (1, "x")


@pytest.mark.parametrize("n_bytes", [107, 108])
def test_socket_path_of_107_bytes(tmp_path: Path, n_bytes: int) -> None:
    """107 bytes are a socket path, 108 are a problem; bytes count, not characters."""
    text = '[socket]\npath = "/' + "\u00e4" * 50 + "a" * (n_bytes - 101) + '"'
    if n_bytes == 107:
        assert loaded(tmp_path, text, GIVEN_ID).config.socket.path is not None
    else:
        assert [problem.key for problem in problems_of(tmp_path, text)] == ["socket.path"]


@pytest.mark.parametrize("analytics_id", ["", "x" * 21, "x" * 23, "x" * 21 + "/", "x" * 22 + "\\n"])
def test_analytics_ids_that_are_refused(tmp_path: Path, analytics_id: str) -> None:
    """22 of A-Z a-z 0-9 + _ -, and the problem is told once."""
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f'analytics_id = "{analytics_id}"')
    assert [(problem.line, problem.key) for problem in refused.value.problems] == [(1, "analytics_id")]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Every mistake of every file and override is in the one error."""
    (tmp_path / "a.toml").write_text("x = 1\n[log]\nlevel = 3")
    (tmp_path / "b.toml").write_text("= broken")
    with pytest.raises(ConfigError) as refused:
        load(
            [tmp_path / "a.toml", tmp_path / "b.toml", tmp_path / "c.toml"],
            ["y=1", "z", "log.level=x", ".=1"],
        )
    places = [(Path(problem.file).name, problem.line, problem.key) for problem in refused.value.problems]
    assert places == [
        ("a.toml", 1, "x"),
        ("a.toml", 3, "log.level"),
        ("b.toml", 1, "file"),
        ("c.toml", 0, "file"),
        ("--set", 0, "y"),
        ("--set", 0, '"z"'),
        ("--set", 0, "log.level"),
        ("--set", 0, '".=1"'),
    ]


def test_a_missing_analytics_id_says_where_to_get_it(tmp_path: Path) -> None:
    """The message names the source of the id and both ways to set it; the placeholder counts as none."""
    for text, line in (("", 0), ('\nanalytics_id = "…"', 2)):
        with pytest.raises(ConfigError) as refused:
            loaded(tmp_path, text)
        (problem,) = refused.value.problems
        assert (problem.line, problem.key) == (line, "analytics_id")
        assert "account manager" in problem.message
        assert "--set analytics_id=" in problem.message


def test_without_any_file_the_places_are_named() -> None:
    """Who has no configuration file is told where one was looked for."""
    with pytest.raises(ConfigError, match=r"/etc/a.*/etc/b.*--set analytics_id="):
        load([], looked_in=[Path("/etc/a"), Path("/etc/b")])


def test_the_placeholder_does_not_hinder_a_later_file(tmp_path: Path) -> None:
    """The shipped file can stay as it is when conf.d gives the id."""
    assert loaded(tmp_path, 'analytics_id = "…"', GIVEN_ID).config.analytics_id == ID


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    """The line of the first bad byte is told."""
    (tmp_path / "config.toml").write_bytes(b"# one\n# \xff\n")
    with pytest.raises(ConfigError) as refused:
        load([tmp_path / "config.toml"], [GIVEN_ID])
    assert [problem.line for problem in refused.value.problems] == [2]


@pytest.mark.parametrize(
    ("name", "problem"), [("pipe", "is a pipe"), ("/dev/zero", "longer than 1 MiB"), (".", "Is a directory")]
)
def test_what_is_no_file_or_has_no_end(tmp_path: Path, name: str, problem: str) -> None:
    """A pipe or a device is refused: neither start nor reload waits for a writer, or reads without end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=problem):
        load([tmp_path / name], [GIVEN_ID])
    with pytest.raises((OSError, ValueError)):
        early.find(Options(str(tmp_path / name), []), {}, is_root=True)


def test_passwords_are_not_told(tmp_path: Path) -> None:
    """The credentials of a proxy do not get into messages, wherever the mistake is."""
    for text in (
        '[uplink]\nproxy = "ftp://user:secret@host"',
        'proxi = "http://user:secret@host"',
        '[uplink]\nproxy = "http://user:secret@host',
    ):
        for problem in problems_of(tmp_path, text):
            assert "secret" not in str(problem)


# --- properties -----------------------------------------------------------------------------

KEYS = st.sampled_from([*SECTIONS, "apps", "match", "exe", *(setting.key for setting in SETTINGS.values())])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["off", "0660", "https://a", "/x", ID]) | st.datetimes() | st.dates() | st.times()
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS.filter(lambda scalar: scalar is not None),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS | st.text(max_size=9), VALUES, max_size=5)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(document=DOCUMENTS)
def test_any_document_is_taken_or_refused(document: dict[str, Any], tmp_path_factory: Any) -> None:
    """Whatever a TOML file holds, the outcome is a Config or a ConfigError with well-formed problems."""
    file = FILES.setdefault("file", tmp_path_factory.mktemp("config") / "config.toml")
    file.write_text(tomli_w.dumps(document))
    n_lines = len(file.read_text().splitlines())
    try:
        result = load([file], [GIVEN_ID])
    except ConfigError as exc:
        assert exc.problems
        for problem in exc.problems:
            assert problem.key
            assert problem.message
            assert problem.file == str(file)
            assert 1 <= problem.line <= n_lines
    else:
        assert isinstance(result.config, Config)


FILES: dict[str, Path] = {}


@settings(deadline=None, derandomize=True, max_examples=300)
@given(text=st.text() | st.text(alphabet="[]{}\"'=.,#\n \\ab1", max_size=40))
def test_any_text_is_taken_or_refused(text: str, tmp_path_factory: Any) -> None:
    """Whatever the characters of a file, nothing but ConfigError is raised."""
    file = FILES.setdefault("file", tmp_path_factory.mktemp("config") / "config.toml")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load([file], [GIVEN_ID])
    except ConfigError as exc:
        assert exc.problems


@settings(deadline=None, derandomize=True, max_examples=300)
@given(override=st.text() | st.builds("{}={}".format, st.sampled_from(list(SETTINGS)), st.text()))
def test_any_override_is_taken_or_refused(override: str) -> None:
    """Whatever is given to --set, nothing but ConfigError is raised, and it names --set."""
    try:
        load([], [GIVEN_ID, override])
    except ConfigError as exc:
        assert {problem.file for problem in exc.problems} <= {"--set", "no configuration file"}
