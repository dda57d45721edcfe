# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single conditions: is this certified, yes or no. Many of them in one process read a dump once."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.inquiry import CERTIFIED, UNJUDGED, asked, judge
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import Lookup
from ansible_collections.quayside.airgap.plugins.module_utils.certification.questions import read_questions, read_version, refuse
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError

# What a dump consists of: when it is exchanged or refreshed, one of these is another one
_PARTS = ("", "containers/containers.db", "helm/helm.db", "operators")


def is_certified(kind: str, value: Any, dump: Any, **versions: Any) -> bool:
    """Whether a dump says that something is certified.

    :param kind: one of ``questions.KINDS``.
    :param value: the question, a text or a mapping.
    :param dump: the folder of the dump.
    :param versions: ``ocp_version`` or ``kube_version``, for what is asked for without one.
    :raises AirgapError: when the question makes no sense, the dump cannot be read, or nobody can say.
    """
    questions, faults = read_questions(kind, [value])
    known: dict[str, str] = {}
    for name, given in versions.items():
        known[name], wrong = read_version(name, given)
        faults += wrong
    refuse(faults)
    if not questions:
        raise InputError("the question", "the text is empty")
    if not isinstance(dump, (str, os.PathLike)) or not os.fspath(dump):
        raise InputError("the dump", "it is no path", "Give its folder, for example '/srv/offline-catalog'.")
    (found,) = judge(_lookup(os.path.expanduser(os.fspath(dump))), [asked(questions[0], **known)])
    if found.state == UNJUDGED:
        raise AirgapError("say whether", f"{found.item.name} is certified", found.answer.reason)
    return found.state == CERTIFIED


def _lookup(path: str) -> Lookup:
    marks: list[tuple[str, int, int, int]] = []
    for base in (path, os.path.join(path, "data")):
        for part in _PARTS:
            place = os.path.join(base, part)
            try:
                found = os.stat(place)
            except (OSError, ValueError):
                continue
            marks.append((place, found.st_ino, found.st_mtime_ns, found.st_size))
    return _read(path, tuple(marks))


@lru_cache(maxsize=2)
def _read(path: str, _marks: tuple[tuple[str, int, int, int], ...]) -> Lookup:
    # a dump takes half a second to read: many conditions of one task share it, until it changes
    return Lookup(read_tree(Path(path)))
