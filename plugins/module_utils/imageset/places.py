# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places in registries that an image set names, known without reading anything there."""

from __future__ import annotations

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import parse_source


def places_read(image_set: ImageSet) -> list[str]:
    """The repositories of catalogs and additional images, with their registries, each once.

    What is on disk (``oci://``) is left out. The images of operators may lie in other registries, which only the catalogs know.
    """
    named = [*(entry.catalog for entry in image_set.operators), *(entry.name for entry in image_set.additional_images)]
    references = [parse_source(text).reference for text in named]
    return list(dict.fromkeys(reference.name for reference in references if reference is not None))
