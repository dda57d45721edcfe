# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sandbox Quay remembers of the tags of a repository: when each began and ended, and what their manifests say.

Every change of a tag, by push or by API, ends one row and begins another. Rows that ended stay for as long as the
namespace keeps them (tag_expiration_s), so that a tag can be restored.

    history = tag_history.of(world, repository)
    history.live["1.0"].digest

Policies: `world.extra["immutable_tags"]` is a list of f(repository's full name, tag) -> bool; a tag that begins is immutable
when one of them says so. `history.make_immutable(predicate)` does it to tags that are there.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.answers import ApiError
from ansible_collections.quayside.airgap.tests.sandbox.manifests import INDEX_TYPES, OCI_MANIFEST
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import seconds
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Repository, World

EXPIRES_AFTER = "quay.expires-after"
IMMUTABLE = "quay.immutable"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass
class Row:
    """One stretch of a tag's life, in milliseconds; `end` None or in the future: it is alive."""

    name: str
    digest: str
    media_type: str
    start: int
    end: int | None = None
    reversion: bool = False
    immutable: bool = False

    @property
    def start_ts(self) -> int:
        return self.start // 1000

    @property
    def end_ts(self) -> int | None:
        return None if self.end is None else self.end // 1000


@dataclass(frozen=True)
class Facts:
    """What follows from the content of a manifest, and so never changes. size: of the layers, None for lists."""

    is_list: bool
    size: int | None
    children: tuple[str, ...]
    config_media_type: str | None


@dataclass
class Label:
    """A label of a manifest; `source_type` is `manifest` or `api`."""

    key: str
    value: str
    source_type: str
    media_type: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def now_ms() -> int:
    """The time as rows have it."""
    return int(time.time() * 1000)


def of(world: World, repository: Repository) -> TagHistory:
    """The history of a repository, with everything ended that is over by now."""
    found = _of(world, repository)
    found.sweep()
    return found


def _of(world: World, repository: Repository) -> TagHistory:
    found = repository.extra.get("tag_history")
    if found is None:
        found = repository.extra["tag_history"] = TagHistory(world, repository)
    return found


class TagHistory:
    """Rows of a repository: `rows` all of them, oldest first, `live` those alive by name."""

    def __init__(self, world: World, repository: Repository) -> None:
        self._world = world
        self._repository = repository
        self.rows: list[Row] = []
        self.live: dict[str, Row] = {}
        self._labels: dict[str, dict[str, Label]] = {}
        self._seen: set[str] = set()  # digests of rows, forgotten ones left out

    # ------------------------------------------------------------------- read

    def newest_first(self, rows: list[Row]) -> list[Row]:
        """In the order in which Quay lists them: the youngest first, by name where they began together."""
        # Rows are in the order in which they came, which decides within a millisecond.
        latest = list(reversed(rows))
        latest.sort(key=lambda row: (-row.start, row.name))
        return latest

    def active(self) -> list[Row]:
        """Tags that are alive, oldest first."""
        return [row for row in self.rows if self.live.get(row.name) is row]

    def has_live(self, digest: str) -> bool:
        """Whether a tag that is alive points to a manifest, or to a list that holds it."""
        return self._referred(digest, list(self.live.values()))

    def has(self, digest: str) -> bool:
        """Whether a manifest can still be had: by a tag, dead or alive, or because it is stored."""
        stored = self._world.storage.repositories.get(self._repository.full_name)
        return (stored is not None and digest in stored.manifests) or any(row.digest == digest for row in self.rows)

    def _referred(self, digest: str, rows: list[Row]) -> bool:
        if any(row.digest == digest for row in rows):
            return True
        return any(digest in self.facts(row.digest, row.media_type).children for row in rows if row.media_type in INDEX_TYPES)

    # ----------------------------------------------------------------- change

    def note(self, name: str, digest: str | None) -> None:
        """The storage says where a tag points now (None: it is gone)."""
        now = now_ms()
        before = self.live.pop(name, None)
        if before is not None and (before.end is None or before.end > now):
            before.end = now
        if digest is not None:
            row = Row(name, digest, self._media_type(digest), now)
            self._apply_labels(row)
            self._seen.add(digest)
            self.rows.append(row)
            self.live[name] = row
        youngest = max((row.start for row in self.live.values()), default=None) if digest is None else now
        self._repository.extra["last_modified"] = None if youngest is None else youngest // 1000

    def retarget(self, name: str, digest: str, *, reversion: bool = False) -> bool:
        """Let a tag begin (again) at a manifest; False when its content is gone."""
        storage, full_name = self._world.storage, self._repository.full_name
        if digest in storage.repositories[full_name].manifests:
            storage.move_tag(full_name, name, digest)
        else:
            # Deleted by digest: a row remembers what it was.
            body = storage.content.get(digest)
            if body is None:
                return False
            media_type = next(row.media_type for row in self.rows if row.digest == digest)
            storage.put_manifest(full_name, body, media_type, name, digest)
        self.live[name].reversion = reversion
        return True

    def expire(self, row: Row, moment: int | None) -> None:
        """Let a tag end at a moment (seconds since 1970), within the limits that count from its beginning."""
        if moment is None:
            row.end = None
            return
        settings = self._world.options.settings
        least = seconds(settings.get("LABELED_EXPIRATION_MINIMUM", "1h"))
        most = seconds(settings.get("LABELED_EXPIRATION_MAXIMUM", "104w"))
        row.end = row.start + 1000 * min(max(moment - row.start_ts, least), most)

    def make_immutable(self, wanted: Callable[[str], bool]) -> int:
        """Make the tags that are alive immutable whose names are wanted; how many were not yet."""
        count = 0
        for row in self.live.values():
            if not row.immutable and wanted(row.name):
                row.immutable = True
                count += 1
                if not self._world.options.feature("IMMUTABLE_TAGS_CAN_EXPIRE"):
                    row.end = None
        return count

    def sweep(self) -> None:
        """End tags whose time is over, forget rows that the namespace does not keep any longer."""
        now = now_ms()
        for name in [row.name for row in self.live.values() if row.end is not None and row.end <= now]:
            self._world.storage.delete_tag(self._repository.full_name, name)
        if len(self.rows) == len(self.live):
            return
        namespace = self._world.namespace(self._repository.namespace)
        limit = now - 1000 * (namespace.tag_expiration if namespace else 0)
        kept = [row for row in self.rows if row.end is None or row.end > limit]
        forgotten = [row for row in self.rows if row.end is not None and row.end <= limit]
        self.rows = kept
        for digest in {digest for row in forgotten for digest in (row.digest, *self.facts(row.digest, row.media_type).children)}:
            if not self._referred(digest, kept):
                self._labels.pop(digest, None)
                self._seen.discard(digest)
                self._world.storage.delete_manifest(self._repository.full_name, digest)

    def _apply_labels(self, row: Row) -> None:
        """Labels of an image that end its tag or make it immutable; policies too."""
        options = self._world.options
        labels = {label.key: label.value for label in self.labels(row.digest).values()}
        if row.media_type in INDEX_TYPES and row.digest not in self._seen:
            labels = self._shared_labels(row)
        after = duration(labels.get(EXPIRES_AFTER, ""))
        row.end = row.start + 1000 * after if after else None
        if not options.feature("IMMUTABLE_TAGS"):
            return
        policies = self._world.extra.get("immutable_tags", ())
        labelled = labels.get(IMMUTABLE, "").strip().lower() == "true"
        row.immutable = labelled or any(says(self._repository.full_name, row.name) for says in policies)
        if row.immutable and not options.feature("IMMUTABLE_TAGS_CAN_EXPIRE"):
            row.end = None

    def _shared_labels(self, row: Row) -> dict[str, str]:
        """Labels of a new list: those that all its images have alike."""
        shared: set[tuple[str, str]] | None = None
        for child in self.facts(row.digest, row.media_type).children:
            own = {(label.key, label.value) for label in self.labels(child).values()}
            shared = own if shared is None else shared & own
        return dict(shared or ())

    # -------------------------------------------------------------- manifests

    def _media_type(self, digest: str) -> str:
        stored = self._world.storage.repositories.get(self._repository.full_name)
        return stored.manifests.get(digest, "") if stored else ""

    def facts(self, digest: str, media_type: str) -> Facts:
        """What a manifest says."""
        known: dict[str, Facts] = self._world.extra.setdefault("manifest_facts", {})
        if digest not in known:
            parsed = _json(self._world.storage.content.get(digest))
            is_list = media_type in INDEX_TYPES
            children = tuple(str(entry.get("digest")) for entry in parsed.get("manifests") or ()) if is_list else ()
            size = None if is_list else sum(int(layer.get("size", 0)) for layer in parsed.get("layers") or ())
            known[digest] = Facts(is_list, size, children, (parsed.get("config") or {}).get("mediaType"))
        return known[digest]

    def labels(self, digest: str) -> dict[str, Label]:
        """Labels of a manifest by id; those of the image itself are there from the beginning."""
        if digest not in self._labels:
            found = [Label(key, value, "manifest", label_type(value)) for key, value in self._own_labels(digest)]
            self._labels[digest] = {label.id: label for label in found}
        return self._labels[digest]

    def _own_labels(self, digest: str) -> Iterator[tuple[str, str]]:
        media_type = self._media_type(digest)
        if media_type in INDEX_TYPES:
            return
        content = self._world.storage.content
        manifest = _json(content.get(digest))
        config = manifest.get("config") or {}
        labels: dict[str, Any] = {}
        if media_type != OCI_MANIFEST or config.get("mediaType") == OCI_CONFIG:
            labels.update((_json(content.get(str(config.get("digest")))).get("config") or {}).get("Labels") or {})
        if media_type == OCI_MANIFEST:
            labels.update(manifest.get("annotations") or {})
        yield from ((key, str(value)) for key, value in labels.items() if key)


def label_type(value: str) -> str:
    """The media type of a label that does not say one."""
    if (value[:1], value[-1:]) in (("{", "}"), ("[", "]")):
        try:
            json.loads(value)
        except ValueError:
            return "text/plain"
        return "application/json"
    return "text/plain"


def duration(text: str) -> int:
    """`2h` in seconds; 0 for what is none."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
    try:
        return int(text[:-1]) * units[text[-1:]]
    except (KeyError, ValueError):
        return 0


def _json(data: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


# -------------------------------------------------------------------- hooks


def watch(world: World) -> None:
    """Let the histories of a world follow its storage, and immutable tags refuse pushes."""

    def tagged(full_name: str, tag: str, digest: str | None) -> None:
        repository = world.repositories.get(full_name)
        if repository is not None:
            _of(world, repository).note(tag, digest)

    def may_tag(full_name: str, tag: str, digest: str | None) -> None:
        with world.lock:
            repository = world.repositories.get(full_name)
            row = _of(world, repository).live.get(tag) if repository is not None else None
            over = row is not None and row.end is not None and row.end <= now_ms()
        if row is not None and row.immutable and not over and world.options.feature("IMMUTABLE_TAGS"):
            text = "tag is immutable and cannot be overwritten"
            raise ApiError("TAG_IMMUTABLE", {"message": f"tag '{tag}' is immutable"}, message=text, status=409)

    world.extra.setdefault("tagged", []).append(tagged)
    world.extra.setdefault("may_tag", []).append(may_tag)
