"""LibreELEC.  Its LIBREELEC_* keys are no sign: its descendants carry them too."""

from __future__ import annotations

from jwpingd.platforms.kodi import elec
from jwpingd.platforms.system import os_is

PLATFORM = elec("libreelec", os_is("libreelec"))
