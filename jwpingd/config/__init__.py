"""Configuration: TOML files and overrides → one immutable `Config`, and where files and directories are.

`sections` holds the one table of settings; `reading` makes a `Config` or tells every problem;
`paths` knows the directories; `writing` makes the commented file.
"""

from jwpingd.config.device import configured, overridden
from jwpingd.config.paths import Paths, control_socket, locate, player_socket
from jwpingd.config.reading import Loaded, load
from jwpingd.config.sections import (
    AppRule,
    AppSettings,
    ClockSettings,
    Config,
    DeviceSettings,
    IdentitySettings,
    LogSettings,
    PlayerSettings,
    PrivacySettings,
    SessionSettings,
    SocketSettings,
    SpoolSettings,
    TlsSettings,
    UplinkSettings,
)
from jwpingd.config.table import APP_SETTINGS, SETTINGS, Setting
from jwpingd.config.writing import PLACEHOLDER, default_toml, written, written_setting

__all__ = [
    "APP_SETTINGS",
    "PLACEHOLDER",
    "SETTINGS",
    "AppRule",
    "AppSettings",
    "ClockSettings",
    "Config",
    "DeviceSettings",
    "IdentitySettings",
    "Loaded",
    "LogSettings",
    "Paths",
    "PlayerSettings",
    "PrivacySettings",
    "SessionSettings",
    "Setting",
    "SocketSettings",
    "SpoolSettings",
    "TlsSettings",
    "UplinkSettings",
    "configured",
    "control_socket",
    "default_toml",
    "load",
    "locate",
    "overridden",
    "player_socket",
    "written",
    "written_setting",
]
