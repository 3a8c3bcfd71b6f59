"""CoreELEC, LibreELEC's descendant for Amlogic boxes; `coreelec-dt-id` names those whose model is vague."""

from __future__ import annotations

from jwpingd.platforms.kodi import elec
from jwpingd.platforms.system import os_is

PLATFORM = elec("coreelec", os_is("coreelec"))
