"""How files of a box are read, what their forms and values mean, and that nothing in them can hurt."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.platforms import detect, forms, meaning
from jwpingd.platforms.properties import properties
from jwpingd.platforms.root import MAX_BYTES, Absent, Root
from tests.boxes import TREES, box, facts, trees, value

FORMS = ("assignments", "properties", "colons_or_equals", "json_texts", "ini", "xml_names", "uci", "words")
STORE = "opt/secure/persistent/rdkservicestore"
RDK: dict[str, str | bytes] = {"etc/device.properties": "", "version.txt": "imagename:A_B\n"}

# --- files ----------------------------------------------------------------------------------


def test_reading_is_capped(tmp_path: Path) -> None:
    """What lies beyond 64 KiB is not read."""
    root = box(tmp_path, {"big": b"x" * (MAX_BYTES + 10)})
    assert len(Root(root).data("/big")) == MAX_BYTES
    late = b"#" * MAX_BYTES + b"\nNAME=Late\n"
    assert detect(box(tmp_path, {"etc/os-release": late})).os_name is None


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file"),
        ("directory", "not a file"),
        ("pipe", "not a file"),
        ("loop", "too many|a link"),
        ("socket", "no such device"),
        ("closed", "not readable"),
    ],
)
def test_what_is_no_file_is_absent(tmp_path: Path, kind: str, reason: str) -> None:
    """A directory, a pipe or a link to itself is like no file, does not block, and is told apart."""
    path = tmp_path / "thing"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to("thing")
        case "socket":
            os.mknod(path, 0o140600)
        case "closed":
            path.write_text("x")
            path.chmod(0)
            if os.access(path, os.R_OK):
                pytest.skip("this user may read everything")
    for root, name in ((Root(tmp_path), "/thing"), (Root(Path("/")), str(path))):
        with pytest.raises(Absent, match=reason):
            root.text(name)
        with pytest.raises(Absent, match=reason):
            root.text(name)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """One look at a box is one reading of each file, there or not."""
    root = Root(box(tmp_path, {"a": "first"}))
    with pytest.raises(Absent):
        root.text("/b")
    assert root.text("/a") == "first"
    box(tmp_path, {"a": "second", "b": "late"})
    assert root.text("/a") == "first"
    with pytest.raises(Absent):
        root.text("/b")


WATCH = """
import os, sqlite3, sys
from pathlib import Path
from jwpingd import platforms

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
DOING = ("os", "socket", "subprocess", "shutil", "ctypes")

def watch(event, arguments):
    is_written = event == "open" and (arguments[2] or 0) & WRITING
    is_done = event.split(".")[0] in DOING and event != "os.listdir"
    if is_written or is_done:
        print(event, arguments)

sys.addaudithook(watch)
for root in sys.argv[1:]:
    platforms.detect(Path(root))
print("looked at", len(sys.argv) - 1)
open(os.devnull, "w").close()
"""


def test_a_box_is_only_read() -> None:
    """No file is opened for writing, no process is run and no socket made, whatever the box."""
    roots = [str(tree.root) for tree in trees()]
    done = subprocess.run([sys.executable, "-c", WATCH, "/", *roots], capture_output=True, text=True)
    told = done.stdout.splitlines()
    assert told[0] == f"looked at {len(roots) + 1}", done.stderr
    assert len(told) == 2 and told[1].startswith("open ('/dev/null'"), "the watch is awake"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("etc/os-release", "../usr/lib/os-release"),
        ("etc/os-release", "/usr/lib/os-release"),
        ("etc/os-release", "../../../../../usr/lib/os-release"),
        ("etc", "/usr/lib"),
        ("etc", "usr/./lib/"),
    ],
)
def test_links_are_followed_inside_the_root(tmp_path: Path, link: str, target: str) -> None:
    """A link leads where the box itself would go, absolute or not, and never out of its root."""
    root = box(tmp_path, {"usr/lib/os-release": "NAME=Inside\n"})
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(target)
    assert value(detect(root).os_name) == "Inside"


def test_a_link_out_of_the_root_finds_nothing(tmp_path: Path) -> None:
    """A link to a file that only this machine has is a dangling one for the box."""
    outside = box(tmp_path, {"outside": "NAME=Host\n"}) / "outside"
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/os-release").symlink_to(outside)
    assert outside.exists()
    assert detect(tmp_path / "root").os_name is None


def test_a_link_in_tmp_is_not_followed(tmp_path: Path) -> None:
    """Anybody can write there, and a link would show us what only we may read."""
    root = box(tmp_path, {"etc/secret": "secret", "real/model": "Real"})
    (root / "tmp").mkdir()
    (root / "tmp/link").symlink_to("/etc/secret")
    (root / "tmp/sysinfo").symlink_to("/real")
    for path in ("/tmp/link", "/tmp/sysinfo/model"):
        with pytest.raises(Absent, match="a link"):
            Root(root).text(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_on_this_box_tmp_counts_only_where_root_wrote_it(tmp_path: Path) -> None:
    """A file in /tmp of another user is none; one of root's is."""
    directory = Path("/tmp") / f"jwpingd-{os.getpid()}-{tmp_path.name}"
    directory.mkdir()
    try:
        file = box(directory, {"model": "Box"}) / "model"
        assert Root(Path("/")).text(str(file)) == "Box"
        os.chown(file, 4711, 4711)
        with pytest.raises(Absent, match="not root's"):
            Root(Path("/")).text(str(file))
        os.chown(file, 0, 0)
        os.chown(directory, 4711, 4711)
        with pytest.raises(Absent, match="not root's"):
            Root(Path("/")).text(str(file))
    finally:
        shutil.rmtree(directory)


# --- forms ----------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=30), max_size=4)
)
def test_what_a_shell_would_quote_is_read_back(values: dict[str, str]) -> None:
    """Values of one line, quoted by the rules of os-release(5), come back as they were."""
    lines = {key: " ".join(text.replace("\0", " ").splitlines()) for key, text in values.items()}
    escape = str.maketrans({character: f"\\{character}" for character in '\\"$`'})
    written = "".join(f'{key}="{text.translate(escape)}"\n' for key, text in lines.items())
    assert forms.assignments(written) == lines


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "b", "n": 1, "c": {"d": "e"}}', {"a": "b", "c.d": "e"}),
        ('{"a": "b"}\ngarbage', {"a": "b"}),
        ('{"a": "b"}}\n{', {"a": "b"}),
        ('mstar\n{"a": "b"}\n', {"a": "b"}),
        ('{"a": "b"', {}),
        ("", {}),
        ("[1]", {}),
        ("{" * 70000, {}),
        ('{"a":' * 20000, {}),
    ],
)
def test_json_may_have_rubbish_behind_it(text: str, found: dict[str, str]) -> None:
    """The texts of the object, nested ones under dotted keys; of what is no object, nothing."""
    assert forms.json_texts(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ro.a=[x]: [y] \nro.b = 'q'\n", {"ro.a": "[x]: [y]", "ro.b": "'q'"}),
        ("  ro.a=1\n#ro.a=2\nimport /b.prop ro.*\nro.a=3", {"ro.a": "3"}),
        ("ro.a=b=c # d\n", {"ro.a": "b=c # d"}),
    ],
)
def test_properties_have_no_quotes(text: str, found: dict[str, str]) -> None:
    """As Android's init reads them: values up to the end of the line, the last one of a key."""
    assert forms.properties(text) == found


def test_debuggable_androids_have_a_local_file(tmp_path: Path) -> None:
    """/data/local.prop comes last, where the build is debuggable and only there."""
    for debuggable, model in (("1", "Mine"), ("0", "Theirs")):
        files = {
            "system/build.prop": f"ro.debuggable={debuggable}\nro.product.model=Theirs\n",
            "data/local.prop": "ro.product.model=Mine\n",
        }
        assert properties(Root(box(tmp_path, files)))["ro.product.model"].value == model


def test_version_txt_is_divided_once() -> None:
    """At the first colon or equals sign of a line, and the first line of a key counts."""
    text = "free text\nimagename:A:B=C\nVERSION=1.0:2\n- no key: x\nVERSION=3\nGenerated on Thu 22:53:12\n"
    found = forms.colons_or_equals(text)
    assert (found["imagename"], found["VERSION"]) == ("A:B=C", "1.0:2")


NO_END = (
    " ",
    "a",
    "<",
    "<!--",
    "<a ",
    "a ",
    "\t",
    '"',
    "'\\",
    "[",
    "{",
    "option ",
    "#",
    " #",
    "=",
    ":",
    "$A",
    "\n",
)


@pytest.mark.parametrize("form", [getattr(forms, name) for name in FORMS], ids=FORMS)
def test_no_text_takes_long(form: forms.Form) -> None:
    """A whole file of one thing over and over, behind the beginning of something: at once, or minutes."""
    start_s = time.monotonic()
    for beginning in ("", "a", "<a", '"', "k='", 'k="', "option a '", "a " * 8):
        for piece in NO_END:
            form((beginning + piece * MAX_BYTES)[:MAX_BYTES])
    assert time.monotonic() - start_s < 20


def test_references_do_not_multiply(tmp_path: Path) -> None:
    """Properties that refer to each other many times over stay within bounds."""
    root = box(tmp_path, RDK | {"etc/device.properties": f"MODEL_NUM={'$A' * 9000}\nA={'x' * 40000}\n"})
    tracemalloc.start()
    device = detect(root)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert value(device.model) == "x" * meaning.MAX_CHARACTERS
    assert peak_bytes < 2**20


# --- the store of RDK -----------------------------------------------------------------------


@pytest.mark.parametrize("is_open", [True, False])
def test_the_store_of_a_living_box_is_left_alone(tmp_path: Path, is_open: bool) -> None:
    """Read with its owner at work on it, or gone and its log with it: no file appears, none is changed."""
    root = box(tmp_path, RDK | {STORE: (TREES / "rdk-v-xi5/root" / STORE).read_bytes()})
    owner = sqlite3.connect(root / STORE)
    owner.execute("PRAGMA journal_mode=WAL").close()
    if is_open:
        owner.execute("BEGIN IMMEDIATE")
    else:
        owner.close()
    before = {path.name: path.read_bytes() for path in (root / STORE).parent.iterdir()}
    try:
        assert value(detect(root).language) == "de-DE"
        assert {path.name: path.read_bytes() for path in (root / STORE).parent.iterdir()} == before
    finally:
        owner.close()


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE item (key, value)",
        "CREATE TABLE namespace (id, name); CREATE TABLE item (ns, key, value);"
        "INSERT INTO namespace VALUES (1, 'UserSettings');"
        "INSERT INTO item VALUES (1, 'presentationLanguage', x'ffff')",
        "CREATE TABLE namespace (id, name); CREATE TABLE item (ns, key, value);"
        "INSERT INTO namespace VALUES (1, 'UserSettings');"
        "INSERT INTO item VALUES (1, 'presentationLanguage', CAST(x'ffff' AS TEXT))",
        "CREATE TABLE namespace (id, name); INSERT INTO namespace VALUES (1, 'UserSettings');"
        "CREATE VIEW item (ns, key, value) AS WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, 'presentationLanguage', 'x' FROM n WHERE i < 0",
    ],
    ids=["other tables", "bytes", "not UTF-8", "without end"],
)
def test_a_strange_store_says_nothing(tmp_path: Path, schema: str) -> None:
    """Whatever the file holds, it neither raises nor takes long, and the older file is asked."""
    root = box(tmp_path, RDK | {"opt/user_preferences.conf": "ui_language=DE_de\n"})
    (root / STORE).parent.mkdir(parents=True)
    store = sqlite3.connect(root / STORE)
    store.executescript(schema).close()
    store.close()
    assert value(detect(root).language) == "de-DE"


def test_a_store_cannot_make_much_of_little(tmp_path: Path) -> None:
    """A value larger than any file we read is refused inside SQLite, before it is made."""
    root = box(tmp_path, RDK)
    (root / STORE).parent.mkdir(parents=True)
    store = sqlite3.connect(root / STORE)
    store.executescript(
        "CREATE TABLE namespace (id, name); INSERT INTO namespace VALUES (1, 'UserSettings');"
        "CREATE VIEW item (ns, key, value) AS"
        " SELECT 1, 'presentationLanguage', hex(zeroblob(100000)) FROM namespace"
    ).close()
    store.close()
    look = Root(root)
    detect(look)
    assert any("too big" in attempt.reason for attempt in look.tried)


# --- meaning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("de_DE.UTF-8", "de-DE"),
        ("en_US", "en-US"),
        ("en_US.UTF-8@x", "en-US"),
        ("sr_RS@latin", "sr-RS"),
        ("zh_Hans_CN.UTF-8", "zh-Hans-CN"),
        ("es_419", "es-419"),
        ("fr", "fr"),
        ("pt-br", "pt-BR"),
        ("C", None),
        ("C.UTF-8", None),
        ("POSIX", None),
        ("", None),
        ("de_", None),
        ("und", None),
        ("TBD", None),
        ("../../etc", None),
    ],
)
def test_a_locale_is_a_language_or_none(locale: str, tag: str | None) -> None:
    """Language and region as a tag; "C" and what is no locale name no language."""
    if tag is not None:
        assert meaning.language(locale) == tag
        return
    with pytest.raises(Absent):
        meaning.language(locale)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.text(max_size=80) | st.text("a ", min_size=500, max_size=600))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """`plain` leaves nothing for a second turn: it refuses, or gives its own fixed point, bounded."""
    try:
        once = meaning.plain(text)
    except Absent:
        return
    assert meaning.plain(once) == once
    assert len(once) <= meaning.MAX_CHARACTERS


# --- anything in any file -------------------------------------------------------------------

FORBIDDEN = {"", "unknown", "linux", "generic", "tbd", "99.99.0.0", "0.0.0.0", "null", "n/a", "none"}
NO_HARDWARE = {"to be filled by o.e.m.", "default string", "system product name"}
words = st.sampled_from(
    [
        *(b"NAME=", b"VERSION_ID=", b"BUILD_ID=", b"LANG=", b"HARDWARE_MODEL=", b"imagename:", b"$A", b"A="),
        *(b"ro.product.model=", b"FRIENDLY_ID=", b"ID=libreelec\n", b"<setting id='locale.language'>", b"</"),
        *(
            b'"',
            b"'",
            b"\\",
            b"\n",
            b"\r\n",
            b"\0",
            b" ",
            b"#",
            b"=",
            b",",
            b":",
            b"{",
            b"}",
            b"[",
            b"x",
            b"7",
        ),
        *(b"Unknown", b"Linux", b"TBD", b"99.99.0.0", b"To Be Filled By O.E.M.", b"Default string", b"de_DE"),
        *(b"Amlogic", b"null", b"\x0a\x0f", b"\xff", b"\xc2\xa0", "\ufeff".encode(), "\u200b".encode()),
    ]
)
content = st.binary(max_size=60) | st.lists(words, max_size=12).map(b"".join)


def regular_files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[Path, bytes]]:
    """Copies of all trees, to be changed and put right again: each file and what is in it."""
    copies = []
    for tree in trees():
        root = tmp_path_factory.mktemp("box") / "root"
        shutil.copytree(tree.root, root, symlinks=True)
        copies.append({path: path.read_bytes() for path in regular_files(root)})
    return copies


@settings(deadline=None, derandomize=True, max_examples=150)
@given(data=st.data())
def test_no_content_can_hurt(boxes: list[dict[Path, bytes]], data: st.DataObject) -> None:
    """Arbitrary bytes in any file: nothing is raised, and no value is empty, padded or a placeholder."""
    files = data.draw(st.sampled_from(boxes))
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(files)), content, min_size=1, max_size=4))
    try:
        for path, raw in changed.items():
            is_cut = data.draw(st.booleans())
            path.write_bytes(files[path][: len(raw)] if is_cut else raw)
        device = detect(next(parent for path in changed for parent in path.parents if parent.name == "root"))
    finally:
        for path in changed:
            path.write_bytes(files[path])
    for key, fact in facts(device).items():
        assert fact.value == fact.value.strip(), key
        assert fact.value.casefold() not in FORBIDDEN, key
        assert not any(ord(character) < 32 for character in fact.value)
    for name in (value(device.vendor), value(device.model)):
        assert name is None or name.casefold() not in NO_HARDWARE
    assert (value(device.model) or "").casefold() != "amlogic"
