# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of chosen bundles, and the choice that is left when some of them cannot be had."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.operators import channel_graph, pull_specs
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import (
    KeptPackage,
    Selection,
    choose_default_channel,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import faults_of
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import BUNDLE, Bundle, Catalog, Fault
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference


@dataclass(frozen=True)
class BundleImage:
    """An image that a bundle needs.

    :ivar text: as the bundle writes it.
    :ivar names: what the bundle calls it; it may have several names for one image.
    :ivar is_bundle: whether it is the image of the bundle itself.
    """

    text: str
    reference: Reference
    names: tuple[str, ...] = ()
    is_bundle: bool = False


@dataclass(frozen=True)
class BundleImages:
    """The images of one bundle, each once: its own first, then the related ones in the bundle's order.

    :ivar faults: related images that nothing can be made of. An empty one is left out, as OLM does; with any other the operator
        would not be complete, see ``complete``.
    """

    bundle: Bundle
    images: tuple[BundleImage, ...]
    faults: tuple[Fault, ...] = field(default=())
    complete: bool = True


def bundle_images(catalog: Catalog, selection: Selection) -> Iterator[BundleImages]:
    """The images of all chosen bundles, one bundle after another, by package and name.

    The image of the bundle itself is among them even where the related images forget it: OLM pulls it first.

    :raises FileError: when the catalog cannot be read any more.
    """
    for bundle in selection.bundles():
        yield images_of(catalog, bundle)


def images_of(catalog: Catalog, bundle: Bundle) -> BundleImages:
    """The images of one bundle.

    :raises FileError: when the catalog cannot be read any more.
    """
    wanted: dict[str, list[str]] = {bundle.image: []} if bundle.image else {}
    faults = []
    complete = True
    for position, item in enumerate(_related(catalog, bundle)):
        text, name = item
        if text.strip():
            wanted.setdefault(text, []).extend([name] if name else [])
        else:
            called = f" '{name}'" if name else ""
            faults.append(_fault(bundle, f"relatedImages[{position}]", f"the related image{called} is empty, it is left out"))
    images = []
    for text, names in wanted.items():
        try:
            reference = pull_specs.mirrorable(text)
        except InputError as error:
            faults.append(_fault(bundle, "image" if text == bundle.image else "relatedImages", f"{error.subject}: {error.reason}"))
            complete = False
            continue
        images.append(BundleImage(text, reference, tuple(dict.fromkeys(names)), text == bundle.image))
    return BundleImages(bundle, tuple(images), tuple(faults), complete)


def without_bundles(
    selection: Selection, gone: Mapping[str, Collection[str]], why: str = "not all of its images could be had"
) -> Selection:
    """The choice without some bundles, so that the catalog is valid and offers none of them.

    In every channel what lies above a gap stays, with its updates as the publisher wrote them, and what lies below stays where the
    publisher allows to pass the gap (see channel_graph.without). A channel of which nothing stays goes; where it was the default
    channel, another one is chosen (see catalog_selection.choose_default_channel); a package of which nothing stays goes.

    :param gone: names of bundles by package.
    :param why: what to say of them in the warnings.
    """
    result = Selection(dict(selection.packages), list(selection.faults), list(selection.warnings))
    for name in sorted(gone.keys() & selection.packages.keys()):
        kept = selection.packages[name]
        names = frozenset(gone[name]) & kept.bundle_names()
        if not names:
            continue
        left = _without(kept, names)
        result.warnings.append(f"package '{name}': the catalog is without {', '.join(sorted(names))}: {why}")
        if left is None:
            del result.packages[name]
            result.warnings.append(f"package '{name}': nothing is left of it")
            continue
        result.packages[name] = left
        result.warnings += _consequences(kept, left, names)
    return result


def _without(kept: KeptPackage, names: frozenset[str]) -> KeptPackage | None:
    channels = {}
    for channel, entries in kept.channels.items():
        left = channel_graph.without(entries, names, kept.package.versions)
        if left:
            channels[channel] = left
    if not channels:
        return None
    default = kept.default_channel if kept.default_channel in channels else choose_default_channel(kept.package, channels)
    result = replace(kept, default_channel=default, channels=channels)
    return result if all(fault.recent for fault in faults_of(result)) else None


def _consequences(before: KeptPackage, after: KeptPackage, names: frozenset[str]) -> list[str]:
    """What else is gone, in words."""
    found = []
    further = before.bundle_names() - after.bundle_names() - names
    if further:
        found.append(f"package '{before.name}': with them go {', '.join(sorted(further))}, from which no update would lead on")
    channels = before.channels.keys() - after.channels.keys()
    if channels:
        found.append(f"package '{before.name}': nothing is left of the channels {', '.join(sorted(channels))}")
    if before.default_channel != after.default_channel:
        found.append(f"package '{before.name}': the default channel is '{after.default_channel}' instead of '{before.default_channel}'")
    return found


def _related(catalog: Catalog, bundle: Bundle) -> list[tuple[str, str]]:
    """Image and name of what the bundle's blob lists; its form was looked at when the catalog was read."""
    blob = catalog.blob(bundle.place)
    items = next((value for key, value in blob.items() if key.casefold() == "relatedimages"), None) or []
    found = []
    for item in items if isinstance(items, list) else []:
        entry = {str(key).casefold(): value for key, value in item.items()} if isinstance(item, dict) else {}
        text, name = entry.get("image"), entry.get("name")
        found.append((text if isinstance(text, str) else "", name if isinstance(name, str) else ""))
    return found


def _fault(bundle: Bundle, path: str, reason: str) -> Fault:
    return Fault(bundle.package, f"{BUNDLE} {bundle.name}: {path}", reason)
