"""Who is watching, as far as pings may tell: user hash, install id, advertising id, consent of the box.

`user` hashes what a player says of its user, `ids` and `consent` are small files in the state
directory, `advertising` decides which id a ping may carry.  Ids and tokens that come in here are
secrets.  No message of this room contains one.  Source: docs/ping-interface.md, §6.
"""

from jwpingd.identity.advertising import advertising_id
from jwpingd.identity.consent import BoxConsent, read_consent, store_consent
from jwpingd.identity.ids import ADVERTISING_ID, INSTALL_ID, StoredId
from jwpingd.identity.machine import machine_id
from jwpingd.identity.user import MAX_TOKEN_BYTES, user_hash

__all__ = [
    "ADVERTISING_ID",
    "INSTALL_ID",
    "MAX_TOKEN_BYTES",
    "BoxConsent",
    "StoredId",
    "advertising_id",
    "machine_id",
    "read_consent",
    "store_consent",
    "user_hash",
]
