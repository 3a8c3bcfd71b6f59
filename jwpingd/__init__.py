"""jwpingd turns player events on a TV box into JW Player OTT pings and delivers every one of them.

The way of the data, and the modules in its order:

    player ─line─▶ wire ─Event─▶ session ─Ping─▶ ping.target ─▶ spool (flash) ─▶ uplink ─GET─▶ collector
"""

__version__ = "0.1.0"
