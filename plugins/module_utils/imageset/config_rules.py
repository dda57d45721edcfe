# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fields of a configuration must mean together: the rules of oc-mirror v2, and those that it finds out too late or never.

Rules look at what was read, so that they may see texts that another rule refused already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Callable, TypeVar

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import shown
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import (
    DELETE_KIND,
    AdditionalImage,
    Channel,
    HelmSection,
    ImageSet,
    OperatorCatalog,
    Package,
    PlatformSection,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_patterns import compile_go_pattern
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import (
    ImageSource,
    MirrorImage,
    Naming,
    collisions,
    parse_source,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import (
    Version,
    VersionBounds,
    parse_lenient,
    parse_version,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, is_repository, is_tag

ARCHITECTURES = ("amd64", "arm64", "ppc64le", "s390x", "multi")
_TYPES = ("ocp", "okd")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Names below a destination that is not known yet
_ANYWHERE = Naming(Location("registry.invalid"))
_Item = TypeVar("_Item")


def broken_rules(image_set: ImageSet) -> list[Fault]:
    """What is wrong with an image set whose fields were read."""
    rules = _Rules()
    rules.check(image_set)
    return rules.faults


class _Rules:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def check(self, image_set: ImageSet) -> None:
        root = image_set.root
        self._platform(image_set.platform, f"{root}.platform")
        for position, catalog in enumerate(image_set.operators):
            self._catalog(catalog, f"{root}.operators[{position}]")
        self._unique_catalogs(image_set.operators, f"{root}.operators")
        for position, image in enumerate(image_set.additional_images):
            self._additional(image, f"{root}.additionalImages[{position}]")
        self._places(image_set, root)
        self._helm(image_set.helm, f"{root}.helm")
        self._blocked(image_set.blocked_images, f"{root}.blockedImages")

    def _fault(self, path: str, reason: str) -> None:
        self.faults.append(Fault(path, reason))

    # --- releases

    def _platform(self, section: PlatformSection, path: str) -> None:
        if section.platforms and section.architectures:
            self._fault(f"{path}.architectures", "it cannot be given together with platforms; platforms is the newer way to say it")
        for position, architecture in enumerate(section.architectures):
            if architecture and architecture not in ARCHITECTURES:
                reason = f"'{shown(architecture)}' must be one of {', '.join(ARCHITECTURES)}"
                self._fault(f"{path}.architectures[{position}]", reason)
        self._unique(section.architectures, f"{path}.architectures", lambda architecture: architecture)
        if section.release:
            self._source(section.release, f"{path}.release")
        for position, channel in enumerate(section.channels):
            here = f"{path}.channels[{position}]"
            if channel.type not in _TYPES:
                self._fault(f"{here}.type", f"'{shown(channel.type)}' must be one of {', '.join(_TYPES)}")
            self._bounds(channel.min_version, channel.max_version, here, parse_version, "a release has three numbers, such as 4.16.3")
        self._unique(section.channels, f"{path}.channels", lambda channel: channel.name, ".name")

    # --- operators

    def _catalog(self, catalog: OperatorCatalog, path: str) -> None:
        if catalog.catalog:
            self._source(catalog.catalog, f"{path}.catalog")
        self._target(catalog.target_catalog, catalog.target_tag, path, "targetCatalog")
        if catalog.skip_dependencies and catalog.dependencies:
            self._fault(f"{path}.dependencies", "it contradicts skipDependencies")
        name = catalog.catalog_source_name
        if name and not _LABEL.fullmatch(name):
            reason = f"'{shown(name)}' is no name for an object: up to 63 lower-case letters, digits and dashes, none at the ends"
            self._fault(f"{path}.catalogSourceName", reason)
        for position, package in enumerate(catalog.packages):
            self._package(package, catalog.full, f"{path}.packages[{position}]")
        self._unique(catalog.packages, f"{path}.packages", lambda package: package.name, ".name")

    def _package(self, package: Package, full: bool, path: str) -> None:
        expected = "write it like 1.2.3, 1.2 or 1"
        self._bounds(package.min_version, package.max_version, path, parse_lenient, expected)
        bounded = bool(package.min_version or package.max_version)
        for position, channel in enumerate(package.channels):
            self._channel(channel, package, full, bounded, f"{path}.channels[{position}]")
        self._unique(package.channels, f"{path}.channels", lambda channel: channel.name, ".name")
        kept = [channel.name for channel in package.channels]
        if package.default_channel and kept and package.default_channel not in kept:
            reason = f"'{shown(package.default_channel)}' is none of the channels that are taken: {', '.join(map(shown, kept))}"
            self._fault(f"{path}.defaultChannel", reason)
        if full and bounded:
            self._fault(_bound(path, package), "full: true takes all versions of the catalog and cannot be limited to some")
        for position, version in enumerate(package.versions):
            if version and parse_lenient(version) is None:
                self._fault(f"{path}.versions[{position}]", f"'{shown(version)}' is no version; {expected}")
        self._unique(package.versions, f"{path}.versions", parse_lenient)
        if package.versions:
            ranges = bounded or any(channel.min_version or channel.max_version for channel in package.channels)
            if ranges:
                self._fault(f"{path}.versions", "exact versions cannot be given together with minVersion and maxVersion")
            if full:
                self._fault(f"{path}.versions", "full: true takes all versions of the catalog and cannot be limited to some")

    def _channel(self, channel: Channel, package: Package, full: bool, bounded: bool, path: str) -> None:
        self._bounds(channel.min_version, channel.max_version, path, parse_lenient, "write it like 1.2.3, 1.2 or 1")
        if channel.min_version or channel.max_version:
            if bounded:
                self._fault(
                    _bound(path, channel),
                    "its package has minVersion or maxVersion as well: give them for the package or for its channels",
                )
            if full:
                self._fault(_bound(path, channel), "full: true takes all versions of the catalog and cannot be limited to some")

    def _unique_catalogs(self, catalogs: Sequence[OperatorCatalog], path: str) -> None:
        self._unique(
            catalogs,
            path,
            _unique_name,
            reason="the same catalog with the same targetCatalog and targetTag: put all packages into one of them, or name another target",
        )
        self._unique(catalogs, path, lambda catalog: catalog.catalog_source_name, ".catalogSourceName")

    # --- single images, Helm, blocked images

    def _additional(self, image: AdditionalImage, path: str) -> None:
        if image.name:
            self._source(image.name, f"{path}.name")
        self._target(image.target_repo, image.target_tag, path, "targetRepo")

    def _places(self, image_set: ImageSet, root: str) -> None:
        """Every image needs a place; two must not lie in the same one, unless they are the same or are only to be deleted."""
        placed: list[tuple[str, MirrorImage]] = []
        for position, catalog in enumerate(image_set.operators):
            source = _parsed(catalog.catalog)
            # the tag of a catalog that has none is known when it was rebuilt
            if source is not None and (catalog.target_tag or source.tag or source.reference is None):
                self._place(partial(_ANYWHERE.catalog, catalog), f"{root}.operators[{position}].catalog", placed)
        platforms = {}
        for position, image in enumerate(image_set.additional_images):
            path = f"{root}.additionalImages[{position}].name"
            if _parsed(image.name) is not None:
                self._place(partial(_ANYWHERE.additional, image), path, placed)
            platforms[path] = image.platforms
        if image_set.kind == DELETE_KIND:
            return
        paths = {id(found): path for path, found in placed}
        twice = {fault.path for fault in self.faults}
        for first, second in collisions(found for _path, found in placed):
            path, other = paths[id(second)], paths[id(first)]
            if path.rpartition(".")[0] not in twice:
                place = f"{second.destination.repository}:{second.destination.tag}"
                self._fault(path, f"it would lie in the same place, {place}, as {other}; give one of them another target")
        self._same_platforms(placed, platforms)

    def _same_platforms(self, placed: Iterable[tuple[str, MirrorImage]], platforms: Mapping[str, object]) -> None:
        first: dict[str, str] = {}
        for path, found in placed:
            if path in platforms:
                owner = first.setdefault(str(found.destination), path)
                if platforms[owner] != platforms[path]:
                    self._fault(path, f"the image is there twice with different platforms; {owner} is the other one")

    def _place(self, place: Callable[[], MirrorImage], path: str, placed: list[tuple[str, MirrorImage]]) -> None:
        owner = path.rpartition(".")[0]
        try:
            placed.append((path, place()))
        except InputError as error:
            # what is wrong with the image or its target was told already
            if not any(fault.path.startswith(f"{owner}.") for fault in self.faults):
                self._fault(path, f"{shown(error.reason, 300)}; give it a target of another name")

    def _helm(self, section: HelmSection, path: str) -> None:
        for position, repository in enumerate(section.repositories):
            here = f"{path}.repositories[{position}]"
            if repository.url and not re.match(r"(?:https?|oci)://[^/]", repository.url):
                self._fault(f"{here}.url", f"'{shown(repository.url)}' does not begin with https://, http:// or oci:// and a host")
            self._unique(repository.charts, f"{here}.charts", lambda chart: (chart.name, chart.version))
            for number, chart in enumerate(repository.charts):
                if chart.path:
                    self._fault(f"{here}.charts[{number}].path", "only charts under local have a path")
        self._unique(section.repositories, f"{path}.repositories", lambda repository: repository.name, ".name")
        for position, chart in enumerate(section.local):
            if not chart.path:
                self._fault(f"{path}.local[{position}].path", "it is missing")

    def _blocked(self, patterns: Sequence[str], path: str) -> None:
        for position, pattern in enumerate(patterns):
            try:
                compile_go_pattern(pattern)
            except ValueError as error:
                self._fault(f"{path}[{position}].name", f"'{shown(pattern)}' is no pattern: {error}")

    # --- what several of them need

    def _source(self, text: str, path: str) -> None:
        try:
            parse_source(text)
        except InputError as error:
            self._fault(
                path, f"'{shown(text)}': {shown(error.reason, 300)}" + (f" ({shown(error.hint.rstrip('.'), 300)})" if error.hint else "")
            )

    def _target(self, repository: str, tag: str, path: str, key: str) -> None:
        if repository and not is_repository(repository):
            reason = "it is a path of lower-case letters and digits with single . _ - or / between them, without registry, tag and digest"
            self._fault(f"{path}.{key}", f"'{shown(repository)}' is no repository: {reason}")
        if tag and not is_tag(tag):
            reason = "it is 1 to 128 letters, digits, dots, dashes and underscores"
            self._fault(f"{path}.targetTag", f"'{shown(tag)}' is no tag: {reason}")

    def _bounds(self, low: str, high: str, path: str, parse: Callable[[str], Version | None], expected: str) -> None:
        bounds = []
        for key, text in (("minVersion", low), ("maxVersion", high)):
            version = parse(text) if text else None
            if text and version is None:
                self._fault(f"{path}.{key}", f"'{shown(text)}' is no version; {expected}")
            bounds.append(version)
        if bounds[0] is not None and bounds[1] is not None and bounds[0] not in VersionBounds(*bounds):
            self._fault(f"{path}.minVersion", f"{shown(low)} is above maxVersion, {shown(high)}")

    def _unique(
        self,
        items: Sequence[_Item],
        path: str,
        key: Callable[[_Item], object],
        suffix: str = "",
        reason: str = "it is there twice",
    ) -> None:
        first: dict[object, int] = {}
        for position, item in enumerate(items):
            name = key(item)
            owner = first.setdefault(name, position) if name else position
            if owner != position:
                self._fault(f"{path}[{position}]{suffix}", f"{reason}; {path}[{owner}] is the other one")


def _bound(path: str, limited: Channel | Package) -> str:
    return f"{path}.minVersion" if limited.min_version else f"{path}.maxVersion"


def _parsed(text: str) -> ImageSource | None:
    try:
        return parse_source(text) if text else None
    except InputError:
        return None


def _unique_name(catalog: OperatorCatalog) -> str:
    """What tells catalogs apart: the reference, with the target's repository and tag in the place of its own."""
    source = _parsed(catalog.catalog)
    if source is None:
        return ""
    registry = source.reference.registry if source.reference is not None and not catalog.target_catalog else ""
    path = catalog.target_catalog or source.path
    own = "" if catalog.target_tag else source.digest or source.tag or ""
    return f"{registry}/{path}:{catalog.target_tag or own}"
