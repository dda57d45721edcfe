# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes down what came of a run over an image set: a document for programs, and a page for people."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.report_page import page
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult, Mode

# Grows when a field goes or means something else; new fields leave it alone
SCHEMA = 1
# What a report has as the task returns it
_OF_TASK = ("mode", "changed", "working_dir", "totals", "failures", "images", "archive", "cluster_resources")


def write_reports(folder: Path, result: ImageSetResult, *, moment: datetime) -> tuple[Path, ...]:
    """Write ``<moment>.json`` and ``<moment>.html``; the same input makes the same bytes. Reports of other moments stay.

    :param folder: made where it is not there yet.
    :param moment: when the run began, with its time zone; UTC to the millisecond makes the names.
    :returns: both paths, the document's first.
    :raises FileError: when that fails; no file is left half-written.
    """
    name = moment.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
    document, readable = folder / f"{name}.json", folder / f"{name}.html"
    told = report_document(result, moment=moment)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("make the folder", str(folder), error.strerror or str(error)) from error
    # ensure_ascii: what cannot be written in UTF-8, of a file name for example, can still be told
    write_atomically(document, json.dumps(told, separators=(",", ":")).encode() + b"\n")
    write_atomically(readable, page(result, destination=told["destination"], moment=told["moment"], document=document.name))
    return document, readable


def report_document(result: ImageSetResult, *, moment: datetime) -> dict[str, Any]:
    """The document: results of the task, with ``schema``, ``moment``, ``destination``, ``complete`` and ``warnings``."""
    results = result.as_results()
    return {
        "schema": SCHEMA,
        "moment": moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "destination": _destination(result),
        "complete": not result.failures,
        "warnings": list(result.warnings),
        **{name: results[name] for name in _OF_TASK},
    }


def _destination(result: ImageSetResult) -> str:
    """The folder of the archive, or the registry; empty where nothing was to be mirrored."""
    if result.mode == Mode.MIRROR_TO_DISK:
        return f"file://{result.working_dir.parent}"
    registries = sorted({found.image.destination.registry for found in result.images})
    return ", ".join(f"docker://{registry}" for registry in registries)
