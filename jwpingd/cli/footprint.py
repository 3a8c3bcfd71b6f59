"""What the libraries load for features that the daemon does not use, and how it is left out.

Measured with trio 0.35 on Python 3.11: 5.6 of 26.8 MB for as long as nothing is delivered, a tenth of
the instructions of every start, and one process (`ldconfig`).  All of it is optional to those who
import it: without this module the daemon does the same, only larger and later.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""

_HASHES = ("_md5", "_sha1", "_sha3", "_blake2")
"""Some of CPython's own hashes: a distribution that builds it without one has taken out others too."""


def keep_small() -> None:
    """Call it before trio and anything else that hashes or encrypts is imported."""
    _share_one_heap()
    _hash_without_openssl()
    _import_later("ssl")
    _import_later("idna")
    _find_libraries_without_ldconfig()


def _share_one_heap() -> None:
    """glibc gives every thread a heap of its own: 1.5 MB once httpx was imported in one."""
    with suppress(AttributeError):  # Other C libraries have no such thing.
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _hash_without_openssl() -> None:
    """hashlib prefers OpenSSL's hashes (3.7 MB) and takes CPython's own where there is no `_hashlib`."""
    if "_hashlib" in sys.modules:
        return
    try:
        for name in _HASHES:
            importlib.import_module(name)
    except ImportError:
        return
    sys.modules["_hashlib"] = None  # type: ignore[assignment]  # None blocks an import.


def _import_later(name: str) -> None:
    """Trio imports ssl (1.3 MB) for streams that only delivery uses, and idna for names beyond ASCII."""
    if name not in sys.modules:
        sys.modules[name] = _Later(name)


class _Later(ModuleType):
    """Stands for a module until something of it is used.

    `importlib.util.LazyLoader` does not do: in 3.11 an import statement alone makes it load.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Asked by those who look at every module there is.
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        self.__dict__.update(vars(module))
        return getattr(module, name)


def _find_libraries_without_ldconfig() -> None:
    """Trio names its threads by way of libpthread, and to find that a process is started."""
    if "ctypes.util" in sys.modules:
        return
    util = _Later("ctypes.util")

    def find_library(name: str) -> str | None:
        # What ldconfig would answer, wherever there is such a library.
        return "libpthread.so.0" if name == "pthread" else util.__getattr__("find_library")(name)

    vars(util)["find_library"] = find_library
    sys.modules["ctypes.util"] = util
    vars(ctypes)["util"] = util
