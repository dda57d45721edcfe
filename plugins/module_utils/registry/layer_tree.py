# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What layers make of a folder: files, links and whiteouts, one layer applied over the other. No content, no disk.

Source: OCI image spec 1.1, layer.md ("Applying Changesets", "Whiteouts").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tar import FOLDER, HARDLINK, SYMLINK, Entry, Parts

WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
# AUFS kept its own books under these names
_AUFS = ".wh..wh."
MOST_LINKS = 40


@dataclass
class Node:
    """A thing that is no folder.

    :ivar layer: number of its layer, from the bottom; ``number``: its place in the layer.
    :ivar target: where a link leads.
    :ivar spool: the content of a file, once it is on disk.
    """

    layer: int
    number: int
    parts: Parts
    kind: str
    target: str = ""
    spool: Path | None = None


@dataclass
class Folder:
    """A folder. Its children may be shared with other places only where they are no folders."""

    children: dict[str, Folder | Node] = field(default_factory=dict)

    def at(self, parts: Parts) -> Folder | Node | None:
        """What lies at a path below; links are not followed."""
        found: Folder | Node | None = self
        for name in parts:
            found = found.children.get(name) if isinstance(found, Folder) else None
        return found

    def make(self, parts: Parts) -> Folder:
        """The folder at a path below, made where there is none."""
        folder = self
        for name in parts:
            child = folder.children.get(name)
            if not isinstance(child, Folder):
                child = folder.children[name] = Folder()
            folder = child
        return folder


@dataclass
class Changes:
    """What a layer says of the wanted folder and of those that it lies in."""

    nodes: list[Node] = field(default_factory=list)
    whiteouts: list[Parts] = field(default_factory=list)
    opaque: list[Parts] = field(default_factory=list)

    def take(self, entry: Entry, layer: int, wanted: Parts) -> Node | None:
        """Keep a member of an archive as far as it concerns the wanted folder; the node that was made of it."""
        name = entry.parts[-1] if entry.parts else ""
        if name.startswith(WHITEOUT):
            self._take_whiteout(name, entry.parts[:-1], wanted)
            return None
        if not entry.parts or not _concerns(entry.parts, wanted):
            return None
        node = Node(layer, entry.number, entry.parts, entry.kind, entry.target)
        self.nodes.append(node)
        return node

    def _take_whiteout(self, name: str, above: Parts, wanted: Parts) -> None:
        if name == _OPAQUE:
            if _concerns(above, wanted):
                self.opaque.append(above)
        elif not name.startswith(_AUFS) and name != WHITEOUT:
            hidden = (*above, name[len(WHITEOUT) :])
            if _concerns(hidden, wanted):
                self.whiteouts.append(hidden)

    def apply_to(self, root: Folder) -> None:
        """Change a tree as the layer says. What the layer removes was below it, wherever in the archive that is written."""
        for parts in self.opaque:
            folder = root.at(parts)
            if isinstance(folder, Folder):
                folder.children.clear()
        for parts in self.whiteouts:
            folder = root.at(parts[:-1])
            if isinstance(folder, Folder):
                folder.children.pop(parts[-1], None)
        for parts in self.opaque:
            # the mark lies in a folder of this layer
            root.make(parts)
        for node in self.nodes:
            if node.kind == FOLDER:
                root.make(node.parts)
                continue
            linked = root.at(target_of(node, ()) or ()) if node.kind == HARDLINK else None
            root.make(node.parts[:-1]).children[node.parts[-1]] = linked if isinstance(linked, Node) else node


class Cover:
    """What the upper layers hide from the lower ones."""

    def __init__(self) -> None:
        self._gone: set[Parts] = set()
        self._opaque: set[Parts] = set()

    def add(self, changes: Changes) -> None:
        """Put a layer above those that are still to be looked at."""
        self._gone.update(changes.whiteouts)
        self._gone.update(node.parts for node in changes.nodes if node.kind != FOLDER)
        self._opaque.update(changes.opaque)

    def hides(self, parts: Parts) -> bool:
        """Whether what lower layers have at a path cannot be seen."""
        return any(parts[:end] in self._gone for end in range(1, len(parts) + 1)) or any(
            parts[:end] in self._opaque for end in range(len(parts))
        )

    def hides_below(self, parts: Parts) -> bool:
        """Whether nothing in a folder can be seen."""
        return self.hides((*parts, ""))


def follow(root: Folder, link: Node, place: Parts) -> tuple[Parts, Folder | Node] | None:
    """What a link leads to within a tree, and where that lies; None when it leads out of it, to nothing or in a circle."""
    for _attempt in range(MOST_LINKS):
        target = target_of(link, place[:-1])
        found: Folder | Node | None = root
        for depth, name in enumerate(target or ()):
            found = found.children.get(name) if isinstance(found, Folder) else None
            if isinstance(found, Node) and found.kind == SYMLINK:
                # the rest of the way begins where this link leads
                rest = "/".join((target or ())[depth + 1 :])
                place = (target or ())[: depth + 1]
                link = Node(found.layer, found.number, place, SYMLINK, f"{found.target}/{rest}" if rest else found.target)
                break
        else:
            return None if found is None or not target else (target, found)
    return None


def rooted(folder: Folder, place: Parts) -> Folder:
    """A tree with nothing in it but a folder at its place."""
    for name in reversed(place):
        folder = Folder({name: folder})
    return folder


def target_of(link: Node, place: Parts) -> Parts | None:
    """Where a link leads, as a path from the root; None when it leads nowhere. Symbolic ones start from their folder."""
    if "\0" in link.target or not link.target:
        return None
    parts = list(place) if link.kind == SYMLINK and not link.target.startswith("/") else []
    for name in link.target.split("/"):
        if name == "..":
            # there is nothing above the root of an image
            del parts[-1:]
        elif name not in ("", "."):
            parts.append(name)
    return tuple(parts)


def _concerns(parts: Parts, wanted: Parts) -> bool:
    return within(parts, wanted) or wanted[: len(parts)] == parts


def within(parts: Parts, wanted: Parts) -> bool:
    """Whether a path is that of a folder, or lies below it."""
    return parts[: len(wanted)] == wanted


def top_of(parts: Parts) -> str:
    """The first component that a member is about; empty where it is about all of them, a dot where about the root alone."""
    if not parts:
        return "."
    if parts[0] == _OPAQUE:
        return ""
    return parts[0][len(WHITEOUT) :] if parts[0].startswith(WHITEOUT) else parts[0]
