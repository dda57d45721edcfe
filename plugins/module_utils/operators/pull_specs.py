# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that bundles name: which texts a catalog may have, and which can be mirrored."""

from __future__ import annotations

import re

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, has_registry, parse_reference

# Almost all are written like this; a catalog has several hundred thousand of them
_USUAL = re.compile(
    r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z0-9]+(?::[0-9]{2,4})?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+@sha256:[0-9a-f]{64}"
)


def fault_of(text: str) -> str:
    """Why a catalog with this image cannot be loaded; empty when it can. No image at all is allowed."""
    if not text or (_USUAL.fullmatch(text) and len(text) < 255):
        return ""
    if "://" in text or text != text.strip():
        return f"'{text}' is no reference to an image"
    try:
        parse_reference(text)
    except InputError as error:
        return f"'{text}' is no reference to an image: {error.reason}"
    return ""


def mirrorable(text: str) -> Reference:
    """The image as something that can be copied.

    :raises InputError: when it is no reference, has no registry, or has neither tag nor digest.
    """
    reference = parse_reference(text)
    subject = f"the related image '{text}'"
    if not has_registry(text):
        raise InputError(subject, "it does not name its registry")
    if reference.identifier is None:
        raise InputError(subject, "it has neither a tag nor a digest")
    return reference
