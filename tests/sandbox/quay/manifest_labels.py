# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests by API: what they hold, and their labels."""

from __future__ import annotations

import calendar
import json
import re
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.manifests import OCI_MANIFEST
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import NOT_FOUND_MESSAGE, Message, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.repositories import show
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.tag_history import OCI_CONFIG, Label, TagHistory, label_type
from ansible_collections.quayside.airgap.tests.sandbox.quay.tags import history, normal_write
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import date
from ansible_collections.quayside.airgap.tests.sandbox.storage import StoredManifest

ROUTES = Routes("manifest")

ONE = "/repository/<path:repository>/manifest/<manifestref>"
LABELS = ONE + "/labels"
REFERENCE = re.compile(r"[A-Za-z0-9_+.-]+:[A-Fa-f0-9]+")
KEY_RULE = r"^[a-z0-9](([a-z0-9]|[-.](?![.-]))*[a-z0-9])?$"
BAD_KEY = f"Label is of an invalid format or missing please use {KEY_RULE} format for labels"
RESERVED = (
    *("com.docker.", "io.docker.", "org.dockerproject.", "org.opencontainers.", "io.cncf.", "io.kubernetes.", "io.k8s."),
    *("io.quay", "com.coreos", "com.tectonic", "internal", "quay"),
)
# The layer that Quay shows for a step of an image's history that made none.
EMPTY_LAYER = ("sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4", 32)
ADD = {
    "type": "object",
    "description": "Adds a label to a manifest",
    "required": ["key", "value", "media_type"],
    "properties": {
        "key": {"type": "string", "description": "The key for the label"},
        "value": {"type": "string", "description": "The value for the label"},
        "media_type": {
            "type": ["string", "null"],
            "description": "The media type for this label",
            "enum": ["text/plain", "application/json", None],
        },
    },
}


def longer_name(call: Call) -> str:
    """What is no digest is a part of a repository's name: that name, empty for a digest."""
    if REFERENCE.fullmatch(call.parameters["manifestref"]):
        return ""
    return f"{call.parameters['repository']}/manifest/{call.request.path.rpartition('/manifest/')[2]}"


def manifest_read(call: Call) -> None:
    """Who may read the repository that the path means."""
    call.require_repository(longer_name(call) or call.parameters["repository"], "read")


def _known(call: Call, repository: str, digest: str) -> TagHistory:
    """The tags of the repository, one of which leads to the manifest; else 404."""
    found = history(call, repository)
    if not found.has_live(digest):
        raise not_found()
    return found


@ROUTES.get(ONE, access=manifest_read, query=("include_modelcard",), scope="repo:read")
def manifest(call: Call, repository: str, manifestref: str) -> Result:
    """One manifest with its layers."""
    if longer_name(call):
        return show(call, longer_name(call))
    found = _known(call, repository, manifestref)
    stored = call.world.storage.manifest(repository, manifestref)
    if stored is None:
        raise not_found()
    facts = found.facts(stored.digest, stored.media_type)
    layers = None if facts.is_list else _layers(call, stored)
    return {
        "digest": stored.digest,
        "is_manifest_list": facts.is_list,
        "manifest_data": stored.body.decode(),
        "config_media_type": facts.config_media_type,
        "layers_compressed_size": facts.size or 0,
        "layers": layers,
    }


def _layers(call: Call, stored: StoredManifest) -> list[dict[str, Any]]:
    """Layers with the step of the history that made each; 404 where the history is too short."""
    parsed = stored.parsed
    layers = list(parsed.get("layers") or ())
    steps = _steps(call, stored, len(layers))
    made = sum(1 for step in steps if not step.get("empty_layer"))
    if len(steps) < len(layers) or made > len(layers):
        raise Message(404, NOT_FOUND_MESSAGE)
    views = []
    remaining = iter(layers)
    for index, step in enumerate(steps):
        layer = None if step.get("empty_layer") else next(remaining)
        urls = layer.get("urls") if layer else None
        command = step.get("created_by")
        views.append(
            {
                "index": index,
                "compressed_size": layer.get("size") if layer else EMPTY_LAYER[1],
                "is_remote": bool(urls),
                "urls": urls,
                "command": list(_command(command)) or None,
                "comment": step.get("comment"),
                "author": step.get("author"),
                "blob_digest": layer.get("digest") if layer else EMPTY_LAYER[0],
                "created_datetime": _date(step.get("created")),
            }
        )
    return views


def _steps(call: Call, stored: StoredManifest, count: int) -> list[dict[str, Any]]:
    """The history of an image; OCI ones may have none, artifacts never have."""
    described = stored.parsed.get("config") or {}
    if stored.media_type == OCI_MANIFEST and described.get("mediaType") != OCI_CONFIG:
        return [{} for _number in range(count)]
    config = json.loads(call.world.storage.content.get(str(described.get("digest"))) or b"{}")
    steps = list(config.get("history") or ())
    if not steps and stored.media_type == OCI_MANIFEST:
        last = {"created": config.get("created"), "author": config.get("author"), "created_by": (config.get("config") or {}).get("Cmd")}
        return [*({} for _number in range(count - 1)), last] if count else []
    return steps


def _command(value: Any) -> Iterator[Any]:
    if isinstance(value, str) and value:
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        yield from parsed if isinstance(parsed, list) else [value]
    elif value:
        yield value


def _date(value: str | None) -> str | None:
    return date(calendar.timegm(time.strptime(value[:19], "%Y-%m-%dT%H:%M:%S"))) if value else None


# ------------------------------------------------------------------- labels


def label_view(label: Label) -> dict[str, Any]:
    """A label."""
    return {
        "id": label.id,
        "key": label.key,
        "value": label.value,
        "source_type": label.source_type,
        "media_type": label.media_type,
    }


def _labels(call: Call, repository: str, digest: str) -> dict[str, Label]:
    return _known(call, repository, digest).labels(digest)


def _one(call: Call, repository: str, digest: str, number: str) -> Label:
    found = _labels(call, repository, digest).get(number)
    if found is None:
        raise not_found()
    return found


@ROUTES.get(LABELS, access=manifest_read, query=("filter",), scope="repo:read")
def labels(call: Call, repository: str, manifestref: str) -> Result:
    """Labels of the image and of the API, with ?filter= those whose keys begin so."""
    if longer_name(call):
        return show(call, longer_name(call))
    prefix = call.first("filter").lower()
    found = _labels(call, repository, manifestref).values()
    return {"labels": [label_view(label) for label in found if label.key.lower().startswith(prefix)]}


@ROUTES.post(LABELS, access=normal_write, schema=ADD, schema_name="AddLabel", scope="repo:write")
def add_label(call: Call, repository: str, manifestref: str) -> Result:
    """One more label; a key may come again."""
    key, value, media_type = call.body["key"], call.body["value"], call.body["media_type"]
    if key.startswith(RESERVED):
        raise Message(400, "Label has a reserved prefix")
    found = _labels(call, repository, manifestref)
    if not re.match(KEY_RULE, key):
        raise Message(400, BAD_KEY)
    label = Label(key, value, "api", media_type or label_type(value))
    found[label.id] = label
    return {"label": label_view(label)}, 201, {"Location": f"{call.request.path}/{label.id}"}


@ROUTES.get(LABELS + "/<labelid>", access=manifest_read, scope="repo:read")
def label(call: Call, repository: str, manifestref: str, labelid: str) -> Result:
    """One label."""
    if longer_name(call):
        return show(call, longer_name(call))
    return label_view(_one(call, repository, manifestref, labelid))


@ROUTES.delete(LABELS + "/<labelid>", access=normal_write, scope="repo:write")
def delete_label(call: Call, repository: str, manifestref: str, labelid: str) -> Result:
    """Take a label away that came by API."""
    found = _one(call, repository, manifestref, labelid)
    if found.source_type == "manifest":
        raise Message(400, "Cannot delete immutable label")
    del _labels(call, repository, manifestref)[labelid]
    return None, 204
