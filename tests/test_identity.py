"""Identity: hashes from claims, an install id that is never cloned, an advertising id where allowed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.errors import BadEvent
from jwpingd.events import AdvertisingClaim, Consent, UserClaim
from jwpingd.identity import (
    ADVERTISING_ID,
    INSTALL_ID,
    MAX_TOKEN_BYTES,
    BoxConsent,
    StoredId,
    advertising_id,
    machine_id,
    read_consent,
    store_consent,
    user_hash,
)

SECRET = "s3cr3t-4711"
ANNA = "3ccf8cb4bf52ea1a9cc6e8d4d9cd4a2e1e3d7e8c"


def token(payload: object, *, header: str = "e30", signature: str = "c2ln") -> str:
    """A JWT with `payload`, which may be raw bytes."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    middle = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return f"{header}.{middle}.{signature}"


# --- the user -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [
        # The first two are test vectors of FIPS 180 and RFC 3174.
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        ),
        ("Zoë", hashlib.sha1(b"Zo\xc3\xab").hexdigest()),
    ],
)
def test_an_id_is_hashed_as_utf8(user_id: str, expected: str) -> None:
    """`user.id` becomes its SHA-1 in lower-case hex, of the UTF-8 bytes, nothing stripped or folded."""
    assert user_hash(UserClaim(user_id=user_id), "sub") == expected
    assert user_hash(UserClaim(user_id=f" {user_id}"), "sub") != expected


@pytest.mark.parametrize(
    ("given_hash", "expected"),
    [
        (ANNA, ANNA),
        (ANNA.upper(), ANNA),
        (ANNA[:-1], None),
        (ANNA + "0", None),
        (ANNA[:-1] + "g", None),
        (ANNA + "\n", None),
        ("", None),
        ("\uff14" * 40, None),
    ],
)
def test_a_hash_is_taken_as_it_is_or_refused(given_hash: str, expected: str | None) -> None:
    """`user.hash` is 40 hex digits, in either case; anything else is a bad event."""
    if expected is None:
        with pytest.raises(BadEvent, match=r"user\.hash"):
            user_hash(UserClaim(user_hash=given_hash), "sub")
    else:
        assert user_hash(UserClaim(user_hash=given_hash), "sub") == expected


@pytest.mark.parametrize(
    ("payload", "claim", "user_id"),
    [
        ({"sub": SECRET}, "sub", SECRET),
        ({"sub": "other", "customer": SECRET}, "customer", SECRET),
        ({"sub": 4711}, "sub", "4711"),
        ({"sub": "Zoë?>~"}, "sub", "Zoë?>~"),
        ({"https://example.com/uid": SECRET, "sub": "x"}, "https://example.com/uid", SECRET),
    ],
)
def test_a_token_is_worth_the_id_in_it(payload: object, claim: str, user_id: str) -> None:
    """A token gives the hash of the claim named, text or integer, whatever its signature."""
    expected = user_hash(UserClaim(user_id=user_id), "sub")
    for signature in ("c2ln", "", "!!"):
        assert user_hash(UserClaim(token=token(payload, signature=signature)), claim) == expected


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_id_and_token_agree(user_id: str) -> None:
    """The same id gives the same hash by either way, at every length of base64."""
    assert user_hash(UserClaim(token=token({"sub": user_id})), "sub") == (
        user_hash(UserClaim(user_id=user_id), "sub")
    )


@pytest.mark.parametrize(
    "claim",
    [
        UserClaim(user_id=""),
        UserClaim(user_id=SECRET + "\ud800"),
        UserClaim(user_hash=SECRET),
        UserClaim(token=""),
        UserClaim(token=SECRET),
        UserClaim(token=f"{SECRET}.{SECRET}"),
        UserClaim(token=f"a.{SECRET}!.c"),
        UserClaim(token=f"a.b.c.{SECRET}"),
        UserClaim(token=token(SECRET.encode())),
        UserClaim(token=token([SECRET])),
        UserClaim(token=token({"uid": SECRET})),
        UserClaim(token=token({"sub": ""})),
        UserClaim(token=token({"sub": None, "uid": SECRET})),
        UserClaim(token=token({"sub": True, "uid": SECRET})),
        UserClaim(token=token({"sub": 1.5, "uid": SECRET})),
        UserClaim(token=token({"sub": [SECRET]})),
        UserClaim(token=token(b'{"sub": "\xff' + SECRET.encode())),
        UserClaim(token=token(b'{"sub": ' + b"9" * 5000 + b"}")),
        UserClaim(token=token(b"[" * 5000)),
        UserClaim(token=token({"sub": SECRET + "\ud800"})),
        UserClaim(token=token({"sub": SECRET, "pad": "x" * MAX_TOKEN_BYTES})),
    ],
)
def test_a_refusal_never_repeats_the_secret(claim: UserClaim) -> None:
    """What cannot be used is a bad event, and neither id nor token stands in its message."""
    with pytest.raises(BadEvent) as caught:
        user_hash(claim, "sub")
    for secret in (SECRET, claim.token, claim.user_id):
        assert not secret or secret not in str(caught.value)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(max_size=200) | st.binary(max_size=100).map(token))
def test_any_token_is_hashed_or_refused(text: str) -> None:
    """Whatever the token: 40 hex digits or BadEvent, nothing else."""
    try:
        found = user_hash(UserClaim(token=text), "sub")
    except BadEvent:
        return
    assert re.fullmatch("[0-9a-f]{40}", found)


def test_a_token_may_be_8_kib() -> None:
    """A token of exactly the limit is read; one byte more is refused."""
    whole = token({"sub": "a"}, signature="")
    fitting = whole + "s" * (MAX_TOKEN_BYTES - len(whole))
    assert user_hash(UserClaim(token=fitting), "sub") == user_hash(UserClaim(user_id="a"), "sub")
    with pytest.raises(BadEvent, match="longer than 8192"):
        user_hash(UserClaim(token=fitting + "s"), "sub")


# --- the ids of the installation ------------------------------------------------------------

MACHINE = "3d1219c7c4c5404aaa1f6d2a48adfda4"

each_kind = pytest.mark.parametrize("kind", [INSTALL_ID, ADVERTISING_ID], ids=lambda kind: kind.file_name)


@each_kind
def test_an_id_is_made_once(tmp_path: Path, kind: StoredId) -> None:
    """The id is the same ever after, in a file of its owner alone without the machine-id."""
    made = kind.read_or_make(tmp_path, MACHINE)
    assert made is not None and re.fullmatch(kind.form, made)
    assert kind.read_or_make(tmp_path, MACHINE) == made
    assert kind.read(tmp_path, MACHINE) == made
    path = tmp_path / kind.file_name
    assert os.listdir(tmp_path) == [kind.file_name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MACHINE not in path.read_text()


def test_ids_have_the_form_that_pings_allow(tmp_path: Path) -> None:
    """The install id is 8 of [0-9a-z], the advertising id a random UUID (version 4)."""
    made = INSTALL_ID.read_or_make(tmp_path, MACHINE)
    assert made is not None and re.fullmatch("[0-9a-z]{8}", made)
    made = ADVERTISING_ID.read_or_make(tmp_path, MACHINE)
    assert made is not None and uuid.UUID(made).version == 4
    assert advertising_id("generate", None, made) == made


@each_kind
def test_no_id_is_made_unless_asked(tmp_path: Path, kind: StoredId) -> None:
    """A command that only looks makes no id and writes nothing."""
    assert kind.read(tmp_path, MACHINE) is None
    assert os.listdir(tmp_path) == []


@each_kind
def test_an_image_does_not_clone_its_id(tmp_path: Path, kind: StoredId) -> None:
    """An id stored on another machine is discarded, and each machine keeps its own new one."""
    golden = kind.read_or_make(tmp_path, MACHINE)
    other = "f" * 32
    assert kind.read(tmp_path, other) is None
    made = kind.read_or_make(tmp_path, other)
    assert made is not None and made != golden
    assert kind.read_or_make(tmp_path, other) == made


@each_kind
def test_an_id_is_another_after_it_was_discarded(tmp_path: Path, kind: StoredId) -> None:
    """Discarding leaves no file, may be repeated, and the next id is another."""
    made = kind.read_or_make(tmp_path, MACHINE)
    for _ in range(2):
        kind.discard(tmp_path)
        assert os.listdir(tmp_path) == []
    assert kind.read_or_make(tmp_path, MACHINE) != made


def test_a_box_without_machine_id_has_an_id(tmp_path: Path) -> None:
    """No machine-id is one nameless machine; an id of its time does not go over to a named one."""
    made = INSTALL_ID.read_or_make(tmp_path, None)
    assert made is not None
    assert INSTALL_ID.read_or_make(tmp_path, None) == made
    assert INSTALL_ID.read(tmp_path, MACHINE) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, None),
        (b"", None),
        (b"uninitialized\n", None),
        (f"{MACHINE}\n".encode(), MACHINE),
        (MACHINE.encode(), MACHINE),
    ],
)
def test_the_machine_id_is_read_where_there_is_one(
    tmp_path: Path, content: bytes | None, expected: str | None
) -> None:
    """No file, an empty one and one that systemd has yet to fill are the same: none (machine-id(5))."""
    (tmp_path / "etc").mkdir()
    if content is not None:
        (tmp_path / "etc/machine-id").write_bytes(content)
    assert machine_id(tmp_path) == expected


def test_a_machine_id_that_lasts_until_the_next_start_is_none(tmp_path: Path) -> None:
    """systemd mounts one from /run where /etc is read-only: no id may hang on it, or it would not last."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "run").symlink_to("/proc")
    (tmp_path / "etc/machine-id").symlink_to("/proc/sys/kernel/random/boot_id")
    assert machine_id(tmp_path) is None


@settings(deadline=None, derandomize=True, max_examples=100)
@given(content=st.binary(max_size=300))
def test_a_damaged_file_gives_a_new_id(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever the file holds, an id comes out, and it is the one that is found again."""
    directory = tmp_path_factory.mktemp("state")
    (directory / INSTALL_ID.file_name).write_bytes(content)
    made = INSTALL_ID.read_or_make(directory, MACHINE)
    assert made is not None and re.fullmatch("[0-9a-z]{8}", made)
    assert INSTALL_ID.read(directory, MACHINE) == made


@pytest.mark.parametrize("cut", [0, 4, 8, 9, 40, 72])
def test_a_torn_file_is_not_half_believed(tmp_path: Path, cut: int) -> None:
    """A file cut short anywhere before its fingerprint's end gives a new id."""
    made = INSTALL_ID.read_or_make(tmp_path, MACHINE)
    path = tmp_path / INSTALL_ID.file_name
    path.write_bytes(path.read_bytes()[:cut])
    assert INSTALL_ID.read(tmp_path, MACHINE) is None
    assert INSTALL_ID.read_or_make(tmp_path, MACHINE) != made


@each_kind
def test_an_id_that_cannot_be_kept_is_none(tmp_path: Path, kind: StoredId) -> None:
    """Where nothing can be written there is no id, rather than another one after every start."""
    assert kind.read_or_make(tmp_path / "missing", MACHINE) is None
    (tmp_path / f"{kind.file_name}.new").mkdir()
    assert kind.read_or_make(tmp_path, MACHINE) is None


@pytest.mark.parametrize("what", ["id", "consent"])
def test_a_file_is_synced_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Write, sync, rename, sync the directory: a power cut finds the old file or the new one."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("sync directory" if is_directory else f"sync {os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    if what == "id":
        INSTALL_ID.read_or_make(tmp_path, MACHINE)
    else:
        store_consent(tmp_path, Consent.ANONYMOUS)
    assert steps == [f"sync {74 if what == 'id' else 10} bytes", "rename", "sync directory"]


# --- the consent of the box -----------------------------------------------------------------


def test_nobody_opts_out_by_doing_nothing(tmp_path: Path) -> None:
    """Where nothing was chosen, or there is no state directory yet, players may say what they like."""
    for directory in (tmp_path, tmp_path / "missing"):
        assert read_consent(directory) == BoxConsent(Consent.FULL, is_chosen=False)


@pytest.mark.parametrize("level", list(Consent))
def test_a_choice_is_kept(tmp_path: Path, level: Consent) -> None:
    """What was stored is read again, over whatever was there; the file is its owner's alone."""
    (tmp_path / "consent").write_bytes(b"\xff")
    store_consent(tmp_path, level)
    assert read_consent(tmp_path) == BoxConsent(level)
    assert stat.S_IMODE((tmp_path / "consent").stat().st_mode) == 0o600


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    content=st.binary(max_size=300)
    | st.sampled_from([b"", b"\0" * 5, b"ful", b"fulll", b"full none", b"FULL", b"nonefull"])
)
def test_a_choice_that_cannot_be_read_is_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Any file but the three words counts as opted out, and says where the trouble is."""
    directory = tmp_path_factory.mktemp("state")
    (directory / "consent").write_bytes(content)
    found = read_consent(directory)
    if content.split() not in ([b"full"], [b"anonymous"], [b"none"]):
        assert found.level is Consent.NONE and str(directory / "consent") in found.fault


@pytest.mark.parametrize("obstacle", ["directory", "dangling", "loop"])
def test_a_choice_behind_an_obstacle_is_none(tmp_path: Path, obstacle: str) -> None:
    """Something else in the place of the file, or a link that leads nowhere, counts as opted out."""
    path = tmp_path / "consent"
    if obstacle == "directory":
        path.mkdir()
    else:
        path.symlink_to("consent" if obstacle == "loop" else "nowhere")
    found = read_consent(tmp_path)
    assert found.level is Consent.NONE and str(path) in found.fault


# --- advertising ----------------------------------------------------------------------------

PLAYER = "38400000-8CF0-11BD-B23E-10B96E40000D"
SET = "11111111-2222-4333-8444-555555555555"
MADE = "99999999-8888-4777-8666-555555555555"
ZEROS = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("setting", "claimed", "expected"),
    [
        ("off", None, None),
        ("off", PLAYER, PLAYER),
        ("generate", None, MADE),
        ("generate", PLAYER, PLAYER),
        (SET, None, SET),
        (SET, PLAYER, PLAYER),
        (ZEROS, None, None),
        ("generate", ZEROS, None),
        (SET, ZEROS, None),
        ("generate", "no id at all", MADE),
        ("on", None, None),
        ("", None, None),
    ],
)
def test_the_players_id_comes_first(setting: str, claimed: str | None, expected: str | None) -> None:
    """The player's own id, else what the setting says; "off" allows the player's only."""
    claim = None if claimed is None else AdvertisingClaim(claimed, is_limited=False)
    assert advertising_id(setting, claim, MADE) == expected


@pytest.mark.parametrize("setting", ["off", "generate", SET])
@pytest.mark.parametrize("claimed", [None, PLAYER])
def test_limited_tracking_silences_every_source(setting: str, claimed: str | None) -> None:
    """A player that says tracking is limited gets no id, not even the configured or generated one."""
    assert advertising_id(setting, AdvertisingClaim(claimed, is_limited=True), MADE) is None


@pytest.mark.parametrize(
    "claimed",
    [
        ZEROS,
        "",
        "38400000",
        PLAYER + "0",
        PLAYER + "\n",
        "01234567-89AB-CDEF-GH01-23456789ABCD",
        PLAYER.replace("-", ""),
        "{" + PLAYER + "}",
        "\uff138400000-8CF0-11BD-B23E-10B96E40000D",
    ],
)
def test_a_claim_that_is_no_id_counts_as_none(claimed: str) -> None:
    """All zeros or not 8-4-4-4-12 hex digits: no id from the player."""
    assert advertising_id("off", AdvertisingClaim(claimed, is_limited=False), None) is None


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(max_size=40), st.none() | st.text(max_size=40), st.none() | st.text(max_size=40))
def test_an_advertising_id_is_well_formed_or_absent(
    setting: str, claimed: str | None, generated: str | None
) -> None:
    """Whatever goes in, only 8-4-4-4-12 hex digits come out."""
    found = advertising_id(setting, AdvertisingClaim(claimed, is_limited=False), generated)
    assert found is None or re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", found)


def test_a_box_without_a_generated_id_has_none() -> None:
    """ "generate" before an id was made, or where none can be kept, is no id."""
    assert advertising_id("generate", None, None) is None
