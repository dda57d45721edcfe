# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the files in an image set archive.

Sources: distribution v3, filesystem driver ("registry/storage/paths"); oc-mirror v2, archives: ``mirror_NNNNNN.tar`` with
``docker/registry/v2/...``, ``working-dir/...`` and ``isc_<RFC 3339>``. What begins with ``quayside-`` is ours; oc-mirror passes over it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

REPOSITORIES = "docker/registry/v2/repositories/"
BLOBS = "docker/registry/v2/blobs/"
WORKING_DIR = "working-dir/"
IMAGE_SET = "isc_"
# Which archive a chunk belongs to, the first member of each; what is in all of them, in one; space that nothing came into
CHUNK_LABEL = "quayside-chunk.json"
CONTENTS = "quayside-contents.json"
UNUSED = "quayside-unused"

# oc-mirror's own pattern for archives is not anchored: what it must not take for one cannot have .tar after the number
_CHUNK = re.compile(r"mirror_([0-9]{6})\.(tar|part)")
_HEX = r"(?:sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128})"
_BLOB = re.compile(rf"{re.escape(BLOBS)}(sha256|sha512)/([0-9a-f]{{2}})/([0-9a-f]+)/data")
_LINK = re.compile(
    rf"(?:_manifests/tags/(?P<tag>[^/]+)/(?:current|index/(?P<history>{_HEX}))|_manifests/revisions/(?P<revision>{_HEX})|_layers/(?P<layer>{_HEX}))/link"
)
_PARTS = re.compile(r"/(?=_manifests/|_layers/)")

TAG, TAG_HISTORY, REVISION, LAYER = "tag", "tag history", "revision", "layer"


@dataclass(frozen=True)
class Link:
    """A file of 71 bytes that says that a repository has something.

    :ivar kind: ``TAG`` (the digest stands in the file), ``TAG_HISTORY``, ``REVISION`` (a manifest) or ``LAYER`` (a blob).
    :ivar digest: empty for ``TAG``.
    """

    kind: str
    repository: str
    digest: str = ""
    tag: str = ""


def blob_path(digest: str) -> str:
    """Where the content of a manifest or blob lies."""
    algorithm, _colon, value = digest.partition(":")
    return f"{BLOBS}{algorithm}/{value[:2]}/{value}/data"


def parse_blob(name: str) -> str | None:
    """The digest of the content at a name, None when it is no such name."""
    found = _BLOB.fullmatch(name)
    if found is None or not found[3].startswith(found[2]) or len(found[3]) != (64 if found[1] == "sha256" else 128):
        return None
    return f"{found[1]}:{found[3]}"


def tag_link(repository: str, tag: str) -> str:
    """Which manifest a tag means now."""
    return f"{REPOSITORIES}{repository}/_manifests/tags/{tag}/current/link"


def tag_history_link(repository: str, tag: str, digest: str) -> str:
    """That a tag means, or meant, a manifest."""
    return f"{REPOSITORIES}{repository}/_manifests/tags/{tag}/index/{_slashed(digest)}/link"


def revision_link(repository: str, digest: str) -> str:
    """That a repository has a manifest."""
    return f"{REPOSITORIES}{repository}/_manifests/revisions/{_slashed(digest)}/link"


def layer_link(repository: str, digest: str) -> str:
    """That a repository has a config or layer."""
    return f"{REPOSITORIES}{repository}/_layers/{_slashed(digest)}/link"


def parse_link(name: str) -> Link | None:
    """What the link at a name is about, None when it is no link."""
    if not name.startswith(REPOSITORIES):
        return None
    repository, *rest = _PARTS.split(name[len(REPOSITORIES) :], maxsplit=1)
    found = _LINK.fullmatch(rest[0]) if rest else None
    if found is None or not repository:
        return None
    if found["revision"]:
        return Link(REVISION, repository, _colon(found["revision"]))
    if found["layer"]:
        return Link(LAYER, repository, _colon(found["layer"]))
    if found["history"]:
        return Link(TAG_HISTORY, repository, _colon(found["history"]), found["tag"])
    return Link(TAG, repository, tag=found["tag"])


def chunk_name(number: int) -> str:
    """The file name of a chunk of an archive; the first is number 1."""
    return f"mirror_{number:06}.tar"


def part_name(number: int) -> str:
    """The file name of a chunk while it is written."""
    return f"mirror_{number:06}.part"


def chunk_number(name: str, kind: str = "tar") -> int | None:
    """The number of the chunk of this file name, None when it is no chunk's.

    :param kind: ``tar``, or ``part`` for those that are being written.
    """
    found = _CHUNK.fullmatch(name)
    return int(found[1]) if found is not None and found[2] == kind else None


def rfc3339(moment: datetime) -> str:
    """A time as oc-mirror writes it into file names, in UTC."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _slashed(digest: str) -> str:
    return digest.replace(":", "/", 1)


def _colon(path: str) -> str:
    return path.replace("/", ":", 1)
