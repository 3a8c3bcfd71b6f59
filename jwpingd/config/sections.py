"""The one table of settings: what can be configured, its default, what is allowed, and what it is for.

Each section of the configuration file is a class of values, each of its fields a setting.  From
here come validation, the shipped file `config/jwpingd.toml` and the documentation.  Annotations
are evaluated in this file, because they hold the rest of the row.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from jwpingd.config import kinds
from jwpingd.config.kinds import Kind
from jwpingd.events import Consent

_MIB = 1024 * 1024
_NAME = kinds.text(512)  # A ping has 512 encoded bytes for a text; what is longer would be cut.
_PATH_BYTES = 4095  # PATH_MAX of limits.h without the final zero.
_UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_SEMVER = (
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)

_ANALYTICS_ID = kinds.pattern("22 of A-Z a-z 0-9 + _ -", "[A-Za-z0-9+_-]{22}")
_ID_OF_8 = kinds.pattern("8 letters and digits", "[0-9A-Za-z]{8}")
_VERSION = kinds.pattern('a version as SemVer writes it, such as "1.2.0"', _SEMVER)
_ADVERTISING_ID = kinds.pattern(
    '"off", "generate" or a UUID', f"off|generate|{_UUID}", choices=("off", "generate")
)
_USER_AGENT = kinds.pattern(
    "1 to 256 printable ASCII characters, no space at either end", "[!-~]([ -~]{0,254}[!-~])?"
)
_LEVELS = ("debug", "info", "warning", "error")


class About(NamedTuple):
    """The columns of a setting's row besides its name, type and default.

    `comment` is one sentence.  `example` stands in the shipped file where there is no default to show.
    """

    kind: Kind
    comment: str
    unit: str = ""
    example: object = None


class AppSettings(NamedTuple):
    """The app, for players that do not say and were not detected."""

    id: Annotated[
        str | None, About(_NAME, "The app's bundle id, a reverse domain name.", example="com.example.tv")
    ] = None
    version: Annotated[str | None, About(_NAME, "The app's version.", example="2.4.1")] = None


class AppRule(NamedTuple):
    """What to say for players whose process matches.  Settings left out stay as they would be anyway.

    `match` has at least one of the keys in `MATCH_KEYS`; all that are there must fit.
    """

    match: Mapping[str, str]
    id: Annotated[str | None, About(_NAME, "The app's bundle id.", example="com.example.kids")] = None
    version: Annotated[str | None, About(_NAME, "The app's version.", example="1.0.3")] = None
    analytics_id: Annotated[
        str | None,
        About(_ANALYTICS_ID, "The JW property of this app, if another.", example="b28f9QUGGGggyMhqWvB5wX"),
    ] = None


MATCH_KEYS = {
    "exe": "the path of the executable",
    "unit": "the systemd unit",
    "user": "the user",
    "app": "the app id that was detected or that the player says",
}
"""What an `[[apps]]` entry can match a player's process by."""

MATCH_VALUE = kinds.text(_PATH_BYTES)


class DeviceSettings(NamedTuple):
    """What to say of the box in place of what was detected."""

    os: Annotated[
        str | None,
        About(_NAME, "The operating system, one that the ping interface lists.", example="Android TV"),
    ] = None
    allow_unlisted_os: Annotated[
        bool, About(kinds.switch(), "Lets os be any text; JW's reports may not know it.")
    ] = False
    os_version: Annotated[str | None, About(_NAME, "The system's version.", example="11.0.6")] = None
    model: Annotated[str | None, About(_NAME, "The model of the box.", example="STB-4000")] = None
    firmware: Annotated[str | None, About(_NAME, "The firmware's version.", example="4.2.1")] = None
    language: Annotated[str | None, About(_NAME, "The system's language.", example="en-us")] = None
    sdk: Annotated[
        int | None,
        About(kinds.whole(0, 6), "The interface's platform number, which else follows from os.", example=0),
    ] = None


class PlayerSettings(NamedTuple):
    """What all pings say of the player."""

    partner_id: Annotated[
        int | None, About(kinds.whole(1, 99), "The partner player id that JW assigned.", example=7)
    ] = None
    ping_spec_version: Annotated[
        str | None, About(_VERSION, "The version of the ping specification to name.", example="1.0.0")
    ] = None
    feed_id: Annotated[
        str | None, About(_ID_OF_8, "The feed of items that name none.", example="ON53iLoH")
    ] = None
    config_id: Annotated[
        str | None, About(_ID_OF_8, "The app config id; it replaces the install id.", example="9iG2vRc1")
    ] = None


class IdentitySettings(NamedTuple):
    """Who the viewer is said to be."""

    token_claim: Annotated[
        str, About(kinds.text(256), "The claim of a player's access token that names the user.")
    ] = "sub"
    advertising_id: Annotated[
        str, About(_ADVERTISING_ID, "Used where the player gives none; generate makes a resettable one.")
    ] = "off"
    install_id: Annotated[bool, About(kinds.switch(), "Whether pings carry an id of this installation.")] = (
        True
    )


class PrivacySettings(NamedTuple):
    """How much of the user may be told."""

    consent: Annotated[
        Consent,
        About(
            kinds.choice({consent.value: consent for consent in Consent}),
            "Holds until a player says otherwise: anonymous sends no ids, none makes no pings.",
        ),
    ] = Consent.FULL
    on_opt_out: Annotated[
        Literal["purge", "keep"],
        About(kinds.one_of("purge", "keep"), "What becomes of waiting pings when the user opts out."),
    ] = "purge"


class SocketSettings(NamedTuple):
    """The socket that players write to.  A socket from systemd wins over path, mode and group."""

    path: Annotated[
        Path | None,
        About(
            kinds.absolute_path(kinds.MAX_SOCKET_PATH_BYTES),
            "Its place; else player.sock in the runtime directory.",
            example="/run/jwpingd/player.sock",
        ),
    ] = None
    mode: Annotated[int, About(kinds.file_mode(), "Its permission bits.")] = 0o660
    group: Annotated[str | None, About(_NAME, "The group that owns it.", example="video")] = None
    allow_users: Annotated[
        tuple[str, ...],
        About(kinds.texts(_NAME), "The users that may connect, by name or number; empty: all who can."),
    ] = ()
    max_line_bytes: Annotated[int, About(kinds.whole(1024, _MIB), "The longest line.", "bytes")] = 16384
    max_connections: Annotated[int, About(kinds.whole(1, 1024), "Connections at a time.")] = 64
    max_connections_per_uid: Annotated[
        int, About(kinds.whole(1, 1024), "Connections of one user at a time.")
    ] = 32
    max_players: Annotated[int, About(kinds.whole(1, 256), "Players on one connection.")] = 8
    max_events_per_s: Annotated[
        int,
        About(
            kinds.whole(0, 1_000_000),
            "Beyond this rate a connection is read more slowly; 0: no limit.",
            "events per second",
        ),
    ] = 1000


class SessionSettings(NamedTuple):
    """Plays that outlive a lost connection or a power cut."""

    resume_s: Annotated[
        float,
        About(kinds.number(0, 86400), "How long a play with a key waits for its player.", "seconds"),
    ] = 120.0
    checkpoint_s: Annotated[
        float, About(kinds.number(1, 3600), "How often a running play's seconds are stored.", "seconds")
    ] = 30.0


class SpoolSettings(NamedTuple):
    """The store of pings that wait for delivery."""

    max_bytes: Annotated[
        int, About(kinds.whole(_MIB, 1024 * _MIB), "Space on flash for all that waits.", "bytes")
    ] = 16 * _MIB
    max_age_days: Annotated[int, About(kinds.whole(1, 3650), "How long a ping is tried.", "days")] = 30
    memory_max: Annotated[
        int, About(kinds.whole(1, 100_000), "Pings kept in memory while flash refuses them.", "pings")
    ] = 1000


class UplinkSettings(NamedTuple):
    """Delivery to the collector."""

    concurrency: Annotated[int, About(kinds.whole(1, 64), "Requests in flight at a time.")] = 4
    timeout_s: Annotated[
        float, About(kinds.number(0.1, 300), "How long one request may take.", "seconds")
    ] = 10.0
    max_per_s: Annotated[
        float,
        About(
            kinds.number(0, 10_000), "How fast a backlog is delivered; 0: no limit.", "requests per second"
        ),
    ] = 20.0
    start_jitter_s: Annotated[
        float,
        About(
            kinds.number(0, 3600), "The longest random wait before a backlog is sent after boot.", "seconds"
        ),
    ] = 30.0
    retry_first_s: Annotated[
        float,
        About(
            kinds.number(0.01, 3600), "The longest wait before the first retry; then it doubles.", "seconds"
        ),
    ] = 1.0
    retry_max_s: Annotated[
        float, About(kinds.number(0.01, 86400), "The longest wait between two tries.", "seconds")
    ] = 300.0
    proxy: Annotated[
        str | None,
        About(kinds.proxy_url(), "An HTTP proxy to go through.", example="http://proxy.example.com:3128"),
    ] = None
    user_agent: Annotated[
        str | None,
        About(_USER_AGENT, "The User-Agent header; else jwpingd's own.", example="ExampleTV/2.4.1"),
    ] = None


class TlsSettings(NamedTuple):
    """How the collector's certificate is verified.  Verification cannot be switched off."""

    ca_file: Annotated[
        Path | None,
        About(
            kinds.absolute_path(_PATH_BYTES),
            "Certificate authorities to trust in place of the system's.",
            example="/etc/jwpingd/ca.pem",
        ),
    ] = None


class ClockSettings(NamedTuple):
    """When the wall clock may be believed."""

    trust: Annotated[
        Literal["auto", "always"],
        About(
            kinds.one_of("auto", "always"),
            "Whether to wait for proof that the clock was set or to believe it from the start.",
        ),
    ] = "auto"
    hold_max_s: Annotated[
        float,
        About(
            kinds.number(0, 604_800),
            "How long pings wait for that proof if the collector, too, tells no time; then they go without.",
            "seconds",
        ),
    ] = 600.0


class LogSettings(NamedTuple):
    """What is written to the journal."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        About(kinds.one_of(*_LEVELS), "The least important messages that are written."),
    ] = "info"


class Config(NamedTuple):
    """The whole configuration.  Immutable: a reload makes another one."""

    analytics_id: Annotated[
        str, About(_ANALYTICS_ID, "The analytics id of the JW property, from JW's account manager.")
    ]
    collector_url: Annotated[
        str, About(kinds.collector_url(), "Where pings go; the path is the interface's.")
    ] = "https://ihe.jwpltx.com"
    app: AppSettings = AppSettings()
    apps: tuple[AppRule, ...] = ()
    device: DeviceSettings = DeviceSettings()
    player: PlayerSettings = PlayerSettings()
    identity: IdentitySettings = IdentitySettings()
    privacy: PrivacySettings = PrivacySettings()
    socket: SocketSettings = SocketSettings()
    session: SessionSettings = SessionSettings()
    spool: SpoolSettings = SpoolSettings()
    uplink: UplinkSettings = UplinkSettings()
    tls: TlsSettings = TlsSettings()
    clock: ClockSettings = ClockSettings()
    log: LogSettings = LogSettings()


SECTIONS: dict[str, type[Any]] = {
    name: type(default) for name, default in Config._field_defaults.items() if hasattr(default, "_fields")
}
"""Section → its class, in the order of the file.  `apps`, a list of tables, is not among them."""
