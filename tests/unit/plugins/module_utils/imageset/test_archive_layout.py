# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names in an archive are those of the distribution registry's filesystem driver, as oc-mirror has them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    LAYER,
    REVISION,
    TAG,
    TAG_HISTORY,
    Link,
    blob_path,
    chunk_name,
    chunk_number,
    layer_link,
    parse_blob,
    parse_link,
    part_name,
    revision_link,
    rfc3339,
    tag_history_link,
    tag_link,
)

HEX = "7d0e5c996cdfe832c56d91c1100576f4e91e7f6b5e775830a2536ed34ff2f74f"
DIGEST = f"sha256:{HEX}"
LONG = f"sha512:{HEX}{HEX}"
ROOT = "docker/registry/v2/repositories/custom/from-disk"


@pytest.mark.parametrize(
    ("name", "link"),
    [
        (f"{ROOT}/_layers/sha256/{HEX}/link", Link(LAYER, "custom/from-disk", DIGEST)),
        (f"{ROOT}/_layers/sha512/{HEX}{HEX}/link", Link(LAYER, "custom/from-disk", LONG)),
        (f"{ROOT}/_manifests/revisions/sha256/{HEX}/link", Link(REVISION, "custom/from-disk", DIGEST)),
        (f"{ROOT}/_manifests/tags/latest/current/link", Link(TAG, "custom/from-disk", tag="latest")),
        (f"{ROOT}/_manifests/tags/v1/index/sha256/{HEX}/link", Link(TAG_HISTORY, "custom/from-disk", DIGEST, "v1")),
    ],
)
def test_links_are_written_and_read(name, link):
    assert parse_link(name) == link
    written = {
        LAYER: layer_link(link.repository, link.digest),
        REVISION: revision_link(link.repository, link.digest),
        TAG: tag_link(link.repository, link.tag),
        TAG_HISTORY: tag_history_link(link.repository, link.tag, link.digest),
    }
    assert written[link.kind] == name


@pytest.mark.parametrize(
    "name",
    [
        "working-dir/file",
        "docker/registry/v2/repositories/_layers/sha256/x/link",
        f"{ROOT}/_layers/sha256/{HEX[1:]}/link",
        f"{ROOT}/_layers/md5/{HEX}/link",
        f"{ROOT}/_layers/sha256/{HEX}/data",
        f"{ROOT}/_manifests/tags/latest/index/link",
        f"{ROOT}/_uploads/something/link",
        blob_path(DIGEST),
    ],
)
def test_what_is_no_link_is_none(name):
    assert parse_link(name) is None


def test_blobs_are_written_and_read():
    assert blob_path(DIGEST) == f"docker/registry/v2/blobs/sha256/7d/{HEX}/data"
    assert parse_blob(blob_path(DIGEST)) == DIGEST
    assert parse_blob(blob_path(LONG)) == LONG
    assert parse_blob(f"docker/registry/v2/blobs/sha256/00/{HEX}/data") is None
    assert parse_blob(f"docker/registry/v2/blobs/sha256/7d/{HEX}{HEX}/data") is None
    assert parse_blob(tag_link("a", "b")) is None


def test_chunks_have_six_digits():
    assert chunk_name(1) == "mirror_000001.tar"
    assert chunk_number("mirror_000012.tar") == 12
    assert chunk_number(part_name(3), "part") == 3
    others = ["mirror_1.tar", "mirror_000001.tar.gz", part_name(1), "xmirror_000001.tar", "mirror_000001"]
    assert [chunk_number(name) for name in others] == [None] * 5


def test_what_is_being_written_does_not_look_like_an_archive_to_oc_mirror():
    assert ".tar" not in part_name(1)  # its pattern is mirror_[0-9]{6}\.tar, anywhere in a name


def test_times_are_in_utc():
    moment = datetime(2026, 11, 20, 23, 8, 47, 999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(moment) == "2026-11-20T22:08:47Z"
