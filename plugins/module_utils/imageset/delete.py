# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deletion of mirrored images: what a list or a configuration names, or what an image set does not name any more.

What goes is worked out from the registry itself, every time: nothing else is needed, and nothing else is believed. A dry run does the
same and stops before the first deletion.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import HttpError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import FromRegistries
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import DELETE_KIND, MIRROR_KIND
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_list import (
    DeleteItem,
    check_destination,
    delete_list_yaml,
    load_delete_list,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_names import (
    CatalogsOfMirror,
    Named,
    check_prefix,
    name_all,
    prunable,
    tagged,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_plan import (
    ABSENT,
    DELETED,
    FAILED,
    KEPT,
    RepositoryPlan,
    Verdict,
    make_plan,
    owner_of,
    told,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_run import Registry, RepositoryResult, delete_from
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import Naming, parse_source
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.inventory import Holdings, Inventory
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, parse_location
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions, make_side

STATE_ABSENT = "absent"
STATE_PRUNED = "pruned"
# Failures that a message tells in full; the others are in the results
_TOLD = 10


@dataclass(frozen=True)
class DeleteTask:
    """Everything that a deletion is told. What fails does not keep the rest from being deleted.

    :ivar destination: ``docker://host[/namespace]``, or without the scheme; nothing outside of it is touched.
    :ivar state: ``absent``: what is named goes; ``pruned``: what is not named goes.
    :ivar image_set: path of a DeleteImageSetConfiguration (to prune: of an ImageSetConfiguration), or the document itself.
    :ivar delete_list: path of a delete-images.yaml, or the document itself, in the place of ``image_set``.
    :ivar plan_file: where the list of what goes is written; empty for nowhere.
    :ivar max_nested_paths: as it was when the images were mirrored; 0 for any number of components.
    :ivar lenient: names that no catalog has are told as warnings.
    :ivar source: the registry that the credentials of ``source_side`` are for, where the image set names several.
    :ivar registries_conf: path of a registries.conf; None for the usual places, empty for none.
    :ivar dry_run: write the list, and delete nothing.
    :ivar progress_file: where the state is written while the run lasts.
    """

    destination: str
    state: str = STATE_ABSENT
    image_set: str | Mapping[str, Any] | None = None
    delete_list: str | Mapping[str, Any] | None = None
    plan_file: str = ""
    max_nested_paths: int = 0
    lenient: bool = False
    source: str = ""
    source_side: SideOptions = field(default_factory=SideOptions)
    destination_side: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    registries_conf: str | None = None
    dry_run: bool = False
    progress_file: str | None = None


@dataclass(frozen=True)
class DeletedImage:
    """What became of something that was named, or that an image set did not name.

    :ivar state: ``deleted``, ``absent``, ``kept`` or ``failed``.
    :ivar reason: why it is kept, or failed.
    :ivar companions: signatures and other referrers that went along: tags, or digests of what has none.
    """

    item: DeleteItem
    state: str
    digest: str = ""
    reason: str = ""
    companions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As a module returns it."""
        return {
            "source": self.item.name,
            "destination": str(self.item.reference),
            "kind": self.item.kind.value,
            "digest": self.digest,
            "state": self.state,
            "reason": self.reason,
            "companions": list(self.companions),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class DeleteResult:
    """What came of it.

    :ivar images: one for each that was named, sorted by place.
    :ivar failures: what could not be done, as sentences, each once.
    :ivar warnings: what the user should look at although nothing failed.
    :ivar plan: the list that was written; empty where none was asked for.
    :ivar manifests: how many manifests are gone, those of signatures and of the parts of indexes too, or would be.
    """

    images: Sequence[DeletedImage] = ()
    failures: Sequence[str] = ()
    warnings: Sequence[str] = ()
    plan: str = ""
    manifests: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was deleted, or would be."""
        return self.manifests > 0 or self.count(DELETED) > 0

    def count(self, state: str) -> int:
        """How many images ended in a state."""
        return sum(image.state == state for image in self.images)

    def totals(self) -> dict[str, Any]:
        """Counts over all images. How many bytes that makes nobody knows before the registry collects its garbage."""
        return {
            "images": len(self.images),
            **{state: self.count(state) for state in (DELETED, ABSENT, KEPT, FAILED)},
            "manifests": self.manifests,
        }

    def as_results(self) -> dict[str, Any]:
        """The results of a task."""
        gone = [image for image in self.images if image.state == DELETED]
        return {
            "changed": self.changed,
            "images": [image.as_dict() for image in self.images],
            "totals": self.totals(),
            "failures": list(self.failures),
            "plan_file": self.plan,
            "diff": {
                "before": {str(image.item.reference): image.digest for image in gone},
                "after": {str(image.item.reference): "" for image in gone},
            },
        }

    def message(self) -> str:
        """One paragraph for the failed run: why, and what became of the rest."""
        shown = list(self.failures[:_TOLD])
        more = f" ({len(self.failures) - len(shown)} more in the results)" if len(self.failures) > len(shown) else ""
        counts = ((DELETED, "deleted"), (ABSENT, "not there"), (KEPT, "kept"), (FAILED, "not deleted"))
        rest = [f"{self.count(state)} {name}" for state, name in counts if self.count(state)]
        ending = f" Of the images: {', '.join(rest)}." if rest else ""
        return f"{' | '.join(shown)}{more}{ending}"


def delete_image_set(task: DeleteTask) -> DeleteResult:
    """Delete what a task says.

    :raises InputError: for wrong options, a wrong configuration or list, before anything is deleted.
    :raises AirgapError: when the run cannot begin: a registry that cannot be reached, or does not list its repositories.
    """
    naming = _checked(task)
    run = _Run(task, naming)
    try:
        return run.run()
    finally:
        run.close()


def _checked(task: DeleteTask) -> Naming:
    if task.state not in (STATE_ABSENT, STATE_PRUNED):
        raise InputError(f"the state '{task.state}'", f"it is neither {STATE_ABSENT} nor {STATE_PRUNED}")
    written = task.destination.strip()
    if not written:
        raise InputError("destination", "it is empty", "Write docker://registry.example.com/namespace.")
    if written.startswith("file://"):
        raise InputError(f"the destination '{written}'", "images are deleted in registries", "Remove the files of an archive by hand.")
    if task.max_nested_paths < 0:
        raise InputError("max_nested_paths", f"{task.max_nested_paths} is less than 0")
    if task.state == STATE_PRUNED:
        if task.delete_list is not None:
            raise InputError("delete_list", f"it has no place with state {STATE_PRUNED}, which keeps what image_set names")
        if task.image_set is None:
            raise InputError("image_set", f"it is missing; state {STATE_PRUNED} keeps what it names")
    elif (task.image_set is None) == (task.delete_list is None):
        both = "both are given" if task.image_set is not None else "both are missing"
        raise InputError("image_set and delete_list", both, "Say with one of them what to delete.")
    naming = Naming(parse_location(written, "destination"), task.max_nested_paths)
    if task.state == STATE_PRUNED:
        check_prefix(naming)
    return naming


class _Run:
    def __init__(self, task: DeleteTask, naming: Naming) -> None:
        self._task = task
        self._naming = naming
        self._cancellation = Cancellation()
        self._progress = Progress(task.progress_file)
        self._registry = naming.destination.registry
        self._looking = self._side(Access.LOOK)
        self._writing = self._side(Access.WRITE)
        self._client = self._looking.client(self._registry)
        self._pool = WorkerPool(task.wire.parallel, self._cancellation)
        self._inventory = Inventory(self._client, self._pool)
        self._items: dict[Reference, DeleteItem] = {}
        self._failures: dict[str, None] = {}
        self._warnings: dict[str, None] = {}
        self._holdings: dict[str, Holdings] = {}
        self._told: Registry | None = None
        self._needed: Mapping[Reference, str] = {}

    def close(self) -> None:
        """Let go of connections and threads."""
        self._pool.close()
        self._looking.close()
        self._writing.close()

    def run(self) -> DeleteResult:
        """Look, decide, delete."""
        plans = self._prune_plans() if self._task.state == STATE_PRUNED else self._plans()
        self._write_plan(plans)
        if self._task.dry_run:
            images = [self._foretold(reference, verdict, plan) for plan in plans.values() for reference, verdict in plan.verdicts.items()]
            manifests = sum(len(plan.doomed) for plan in plans.values())
        else:
            images, manifests = self._delete(plans)
        images += [self._unread(item) for item in self._items.values() if item.reference.repository not in plans]
        images += [
            self._spared(item) for item in self._items.values() if item.reference.repository in plans and item.reference in self._needed
        ]
        self._progress.finish()
        kept = [f"{image.item.reference} is kept: {image.reason}" for image in images if image.state == KEPT]
        self._warn(kept[:_TOLD])
        if len(kept) > _TOLD:
            self._warn([f"{len(kept) - _TOLD} more are kept; the results say why."])
        images.sort(key=lambda image: str(image.item.reference))
        return DeleteResult(images, list(self._failures), list(self._warnings), self._task.plan_file, manifests)

    # -- what is named ---------------------------------------------------------------------------------------------------

    def _side(self, access: Access) -> Registries:
        task = self._task
        return make_side(
            "destination",
            task.destination_side,
            task.wire,
            [self._registry],
            cancellation=self._cancellation,
            named=(self._registry,),
            access=access,
        )

    def _named(self, kind: str, *, partial_catalogs: bool) -> Named:
        """Everything that the image set names."""
        task = self._task
        image_set = load_image_set(task.image_set or {}, kind=kind)
        self._progress.phase("reading catalogs", items=len(image_set.operators))
        origins = [parse_source(entry.catalog).reference for entry in image_set.operators]
        sources = make_side(
            "source",
            task.source_side,
            task.wire,
            sorted({reference.registry for reference in origins if reference is not None}),
            conf=load_registries_conf(task.registries_conf),
            cancellation=self._cancellation,
            named=(parse_location(task.source, "source").registry,) if task.source else None,
        )
        try:
            with tempfile.TemporaryDirectory(prefix="airgap-delete-") as folder:
                there, here = (
                    FromRegistries(LocalSources(side), Path(folder), task.wire.retry, self._cancellation)
                    for side in (self._looking, sources)
                )
                origin = CatalogsOfMirror(there, here, self._naming, self._client, partial=partial_catalogs)
                return name_all(image_set, origin, self._naming, lenient=task.lenient)
        finally:
            sources.close()

    def _plans(self) -> dict[str, RepositoryPlan]:
        """What becomes of what was named."""
        if self._task.delete_list is not None:
            items = load_delete_list(self._task.delete_list)
            check_destination(items, self._naming)
        else:
            named = self._named(DELETE_KIND, partial_catalogs=False)
            items = named.items
            self._needed = named.needed
            self._fail(named.failures)
            self._warn(named.warnings)
        self._items = {item.reference: item for item in items}
        wanted: dict[str, list[Reference]] = {}
        for reference in self._items:
            wanted.setdefault(reference.repository, []).append(reference)

        def needed(repository: str, tags: set[str]) -> bool:
            return any(reference.tag is None or reference.tag in tags for reference in wanted[repository])

        self._progress.phase("looking at the destination", items=len(wanted))
        held = self._holdings = self._inventory.read(wanted, needed)
        self._inventory.find(
            (held[name], [reference.digest for reference in references if reference.tag is None and reference.digest])
            for name, references in wanted.items()
        )
        hidden = tuple(sorted(name for name in held if held[name].hidden))
        if hidden:
            self._warn([f"{self._registry} shows no repository {told(hidden)}: there is none, or the credentials do not let us read it"])
        return self._settle(
            (held[name], [reference for reference in references if reference not in self._needed]) for name, references in wanted.items()
        )

    def _prune_plans(self) -> dict[str, RepositoryPlan]:
        """What becomes of what the image set does not name."""
        named = self._named(MIRROR_KIND, partial_catalogs=True)
        self._warn(named.warnings)
        if named.failures:
            # what is not known to be named is not known to be unwanted either
            self._fail([*named.failures, "Nothing is pruned, for it is not known what the image set names."])
            return {}
        self._progress.phase("looking at the destination")
        held = self._holdings = self._inventory.read(self._repositories())
        unwanted: list[tuple[Holdings, list[Reference]]] = []
        recognised = False
        for name, holdings in sorted(held.items()):
            places = {tag: Reference(self._registry, name, tag) for tag in sorted(holdings.tags)}
            recognised = recognised or any(named.keeps(place) for place in places.values())
            if holdings.error is not None:
                self._fail([f"{self._registry}/{name}: {holdings.error}"])
            else:
                strange = [place for tag, place in places.items() if owner_of(holdings, tag) is None and not named.keeps(place)]
                unwanted.append((holdings, strange))
        if not recognised and any(places for _held, places in unwanted):
            raise InputError(
                "image_set",
                f"nothing of what it names lies below {self._naming.destination}, and all that is there would go",
                "Is it the image set that was mirrored there? To delete all the same, use state absent.",
            )

        def orphan(repository: str, tag: str) -> Reference | None:
            place = Reference(self._registry, repository, tag)
            return None if named.keeps(place) else place

        return self._settle(unwanted, orphan=orphan)

    def _repositories(self) -> list[str]:
        """Repositories that may be pruned."""
        try:
            return self._inventory.repositories(partial(prunable, self._naming))
        except (HttpError, ProtocolError) as error:
            raise ProtocolError(
                error.action,
                error.subject,
                error.reason,
                f"State {STATE_PRUNED} needs the registry's list of repositories (GET /v2/_catalog); without it, use state {STATE_ABSENT}.",
            ) from error

    def _warn(self, sentences: Iterable[str]) -> None:
        self._warnings.update(dict.fromkeys(sentences))

    def _fail(self, sentences: Iterable[str]) -> None:
        self._failures.update(dict.fromkeys(sentences))

    # -- what goes -------------------------------------------------------------------------------------------------------

    def _settle(
        self,
        wanted: Iterable[tuple[Holdings, Sequence[Reference]]],
        *,
        orphan: Callable[[str, str], Reference | None] | None = None,
        expected: Mapping[Reference, str] | None = None,
    ) -> dict[str, RepositoryPlan]:
        """A plan for each repository, made again until all that goes was looked at: it may belong to something that stays.

        A repository that cannot be read has none.
        """
        waiting = list(wanted)
        plans: dict[str, RepositoryPlan] = {}
        while waiting:
            unknown: list[tuple[Holdings, set[str]]] = []
            unasked: list[tuple[Holdings, set[str]]] = []
            again = []
            for held, references in waiting:
                plans.pop(held.repository, None)
                if held.error is not None:
                    continue
                orphans = partial(orphan, held.repository) if orphan is not None else None
                plan = plans[held.repository] = make_plan(held, references, orphans=orphans, expected=expected)
                unknown.append((held, set((plan.going | plan.owners) - held.manifests.keys() - held.missing)))
                unasked.append((held, set(plan.going - held.referrers.keys())))
                if unknown[-1][1] or unasked[-1][1]:
                    again.append((held, references))
            self._inventory.find(unknown)
            self._inventory.ask_for_referrers(unasked)
            waiting = again
        return plans

    def _write_plan(self, plans: Mapping[str, RepositoryPlan]) -> None:
        """Write the list of what goes: only what can be deleted with its manifest, for oc-mirror would delete nothing else."""
        if not self._task.plan_file:
            return
        items = []
        for name, plan in plans.items():
            gone = {reference: verdict for reference, verdict in plan.verdicts.items() if verdict.state == DELETED and not verdict.alone}
            named = {reference.tag for reference in gone}
            items += [self._item(reference) for reference in gone]
            items += [tagged(Reference(self._registry, name, tag)) for tag in plan.doomed_tags if tag not in named]
        write_atomically(os.path.expanduser(self._task.plan_file), delete_list_yaml(items))

    def _item(self, reference: Reference) -> DeleteItem:
        return self._items.get(reference) or tagged(reference)

    def _delete(self, plans: dict[str, RepositoryPlan]) -> tuple[list[DeletedImage], int]:
        """Delete, some repositories at a time: each is looked at again right before."""
        registry = self._told = Registry(self._writing.client(self._registry), self._cancellation)
        busy = sorted(name for name, plan in plans.items() if not plan.idle)
        images = [
            self._foretold(reference, verdict, plan)
            for name, plan in plans.items()
            if plan.idle
            for reference, verdict in plan.verdicts.items()
        ]
        manifests = 0
        self._progress.phase("deleting", items=len(busy))
        size = self._task.wire.parallel
        for start in range(0, len(busy), size):
            batch = busy[start : start + size]
            fresh = self._again({name: plans[name] for name in batch})
            results: dict[str, RepositoryResult] = {}
            self._pool.run([partial(self._delete_from, registry, name, plan, results) for name, plan in fresh.items()])
            for name in batch:
                if name in fresh:
                    images += self._outcomes(fresh[name], results[name])
                    manifests += len(results[name].gone)
                else:
                    images += [self._unread(self._item(reference)) for reference in plans[name].verdicts]
        return images, manifests

    def _delete_from(self, registry: Registry, name: str, plan: RepositoryPlan, results: dict[str, RepositoryResult]) -> None:
        results[name] = delete_from(registry, plan)
        self._progress.advance(items=1, current=name)

    def _again(self, plans: Mapping[str, RepositoryPlan]) -> dict[str, RepositoryPlan]:
        """The plans for what is there now: what was moved or needed meanwhile stays."""
        self._inventory.look_again(plan.held for plan in plans.values())
        expected = {reference: verdict.digest for plan in plans.values() for reference, verdict in plan.verdicts.items() if verdict.digest}
        return self._settle([(plan.held, list(plan.verdicts)) for plan in plans.values()], expected=expected)

    # -- what became of it -----------------------------------------------------------------------------------------------

    def _foretold(self, reference: Reference, verdict: Verdict, plan: RepositoryPlan) -> DeletedImage:
        """The outcome for what nothing was done about, or nothing is to be done yet."""
        item = self._item(reference)
        notes: tuple[str, ...] = ()
        if verdict.alone:
            notes = (f"its tag alone, if the registry can do that: {told(verdict.holders)} needs the image",)
        companions = () if verdict.alone or verdict.state != DELETED else tuple(plan.companions.get(verdict.digest, ()))
        return DeletedImage(item, verdict.state, verdict.digest, verdict.reason, companions, notes)

    def _outcomes(self, plan: RepositoryPlan, result: RepositoryResult) -> list[DeletedImage]:
        registry, repository = self._registry, plan.held.repository
        companions = plan.companions
        images = []
        for reference, verdict in plan.verdicts.items():
            item, tag, digest = self._item(reference), reference.tag or "", verdict.digest
            if verdict.state != DELETED:
                images.append(self._foretold(reference, verdict, plan))
            elif verdict.alone:
                images.append(self._of_tag(item, verdict, result))
            elif digest in result.gone:
                images.append(DeletedImage(item, DELETED, digest, companions=tuple(companions.get(digest, ()))))
            else:
                # a signature that was named shares the fate of its image
                owner = owner_of(plan.held, tag)
                reason = (
                    result.failed.get(digest) or result.failed.get(owner or "") or next(iter(result.failed.values()), "it is still there")
                )
                images.append(self._failed(item, digest, reason))
        self._fail(result.left_over.values())
        for tag in plan.loose:
            if tag in result.kept:
                self._warn([f"{registry}/{repository}:{tag} is kept: {result.kept[tag]}"])
            elif tag in result.broken:
                self._fail([f"{registry}/{repository}:{tag}: {result.broken[tag]}"])
        return images

    def _of_tag(self, item: DeleteItem, verdict: Verdict, result: RepositoryResult) -> DeletedImage:
        """The outcome for a tag whose image stays."""
        tag = item.reference.tag or ""
        if tag in result.tags:
            return DeletedImage(item, DELETED, verdict.digest, notes=(f"its tag alone: {told(verdict.holders)} needs the image",))
        if tag in result.broken:
            return self._failed(item, verdict.digest, result.broken[tag])
        return DeletedImage(item, KEPT, verdict.digest, result.kept[tag])

    def _failed(self, item: DeleteItem, digest: str, reason: str) -> DeletedImage:
        # what is wrong with the registry as a whole is told once
        self._fail([reason if reason == self._ended() else f"{item.reference}: {reason}"])
        return DeletedImage(item, FAILED, digest, reason)

    def _spared(self, item: DeleteItem) -> DeletedImage:
        """The outcome for an image of an operator that goes, which one that stays needs too."""
        digest = self._holdings[item.reference.repository].tags.get(item.reference.tag or "")
        if digest is None:
            return DeletedImage(item, ABSENT)
        return DeletedImage(item, KEPT, digest, f"it is needed by {self._needed[item.reference]}")

    def _ended(self) -> str:
        return self._told.ended if self._told is not None else ""

    def _unread(self, item: DeleteItem) -> DeletedImage:
        """The outcome for something in a repository that could not be read."""
        return self._failed(item, "", str(self._holdings[item.reference.repository].error))
