"""Containers: of RDK's Dobby, of Docker, of Podman.

A container is known by the name of its cgroup.  Dobby's holds the app's id for all to see; Docker's and
Podman's is a number, and what it stands for only root may read.  Only the keys named here are taken
from their files: the environment in them holds secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jwpingd.apps import cgroups
from jwpingd.apps.app import App, clean
from jwpingd.apps.files import Files

DOBBY, DOCKER, PODMAN = "dobby", "docker", "podman"

_NUMBER = re.compile(r"(?:docker-|libpod-)?([0-9a-f]{64})(?:\.scope)?")
_NOT_A_CONTAINER = re.compile(r".*\.(service|scope|slice|mount|socket)|[0-9a-f]{32,}|[0-9]+")
_DOBBY_STATE = "run/rdk/crun"
_DOBBY_RUNS = (_DOBBY_STATE, "usr/sbin/DobbyDaemon", "usr/bin/DobbyDaemon")
_VERSION_LABEL = "org.opencontainers.image.version"  # OCI image-spec, annotations
_DOCKER = "var/lib/docker/containers/{}/config.v2.json"
_PODMAN = "var/lib/containers/storage/overlay-containers/{}"


def app(paths: Iterable[str], files: Files) -> App | None:
    """The app that a container runs; None where there is no container, or nobody tells its name."""
    elements = [element for path in paths for element in cgroups.innermost_first(path)]
    number = next((match[1] for match in map(_NUMBER.fullmatch, elements) if match), None)
    if number is not None:
        return _docker(number, files) or _podman(number, files)
    if not any(files.is_there(path) for path in _DOBBY_RUNS):
        return None
    container = next((element for element in elements if _is_of_dobby(element, files)), None)
    return _dobby(container, files) if container else None


def _is_of_dobby(element: str, files: Files) -> bool:
    """Whether the runtime knows it or, where only root may ask, whether it looks like an app's."""
    if _NOT_A_CONTAINER.fullmatch(element):
        return False
    return "." in element or element.count("_") > 1 or files.is_there(f"{_DOBBY_STATE}/{element}")


def _dobby(container: str, files: Files) -> App | None:
    """By the runtime's copy of the container's configuration, which only root may read; else by its name."""
    oci = _json(files, f"{_DOBBY_STATE}/{container}/config.json")
    environment = _list(_mapping(oci.get("process")).get("env"))
    told = (entry.partition("=")[2] for entry in environment if entry.startswith("APPLICATION_NAME="))
    app_id = clean(next(told, None)) or clean(_dobby_app_id(container))
    version = _text(_mapping(oci.get("annotations")).get(_VERSION_LABEL))
    return App(app_id, version, DOBBY) if app_id else None


def _dobby_app_id(container: str) -> str:
    """The middle of PORTAL_APP_INSTANCE, which is cut to 64 characters; the whole of anything else."""
    parts = container.split("_")
    if len(parts) < 3:
        return container
    return "_".join(parts[1:-1])


def _docker(number: str, files: Files) -> App | None:
    told = _json(files, _DOCKER.format(number))
    name = clean((_text(told.get("Name")) or "").removeprefix("/"))
    labels = _mapping(_mapping(told.get("Config")).get("Labels"))
    return App(name, _text(labels.get(_VERSION_LABEL)), DOCKER) if name else None


def _podman(number: str, files: Files) -> App | None:
    for listing in ("containers.json", "volatile-containers.json"):
        for container in _objects(files, _PODMAN.format(listing)):
            names = _list(container.get("names"))
            if container.get("id") == number and names and clean(names[0]):
                return App(names[0], None, PODMAN)
    return None


def _json(files: Files, path: str) -> Mapping[str, Any]:
    return next(_objects(files, path), {})


def _objects(files: Files, path: str) -> Iterator[Mapping[str, Any]]:
    """The JSON object in the file, or those of the array in it; none where there is nothing of the kind."""
    try:
        value = json.loads(files.text(path) or "null")
    except (ValueError, RecursionError):
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return clean(value) if isinstance(value, str) else None
