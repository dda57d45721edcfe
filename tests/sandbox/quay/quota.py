# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas of organizations and users with their limits; what is stored is counted, and pushes beyond a Reject limit are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.answers import ApiError
from ansible_collections.quayside.airgap.tests.sandbox.quay import schema as schemas
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import ApiException, Crash, Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, superuser, user_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Namespace, Repository, World

ROUTES = Routes("namespacequota", feature="QUOTA_MANAGEMENT")

WARNING, REJECT = "Warning", "Reject"
MOST_BYTES = (1 << 63) - 1
PREFIXES = "KMGTPEZY"
DEFAULT = "DEFAULT_SYSTEM_REJECT_QUOTA_BYTES"
EXCEEDED = "Quota has been exceeded on namespace"

_NIST_UNITS, _SI_UNITS = [f"{letter}i" for letter in PREFIXES], list(PREFIXES)
_SIZE_UNITS = ["B", *(f"{unit}B" for unit in _NIST_UNITS), *_NIST_UNITS, *(f"{unit}B" for unit in _SI_UNITS), *_SI_UNITS]
SIZE = rf"^(\d+\s?({'|'.join(_SIZE_UNITS)})?)$"
BYTES_FIELD = {"type": "integer", "description": "Number of bytes the organization is allowed"}
SIZE_FIELD = {"type": "string", "description": "Human readable storage capacity of the organization", "pattern": SIZE}
QUOTA = {"type": "object", "description": "Description of a new organization quota"}
LIMIT_FIELDS = {
    "type": {"type": "string", "description": 'Type of quota limit: "Warning" or "Reject"'},
    "threshold_percent": {"type": "integer", "description": "Quota threshold, in percent of quota"},
}
NEW_LIMIT = {
    "type": "object",
    "description": "Description of a new organization quota limit",
    "required": ["type", "threshold_percent"],
    "properties": LIMIT_FIELDS,
}
UPDATE_LIMIT = {"type": "object", "description": "Description of changing organization quota limit", "properties": LIMIT_FIELDS}


@dataclass
class Limit:
    """From a percentage of the quota on, admins are told (Warning) or pushes refused (Reject)."""

    number: int
    kind: str
    percent: int

    def view(self) -> dict[str, Any]:
        """As every answer shows it."""
        return {"id": self.number, "type": self.kind, "limit_percent": self.percent}


@dataclass
class Quota:
    """The quota of a namespace."""

    number: int
    limit_bytes: int
    limits: list[Limit] = field(default_factory=list)

    def limit_views(self) -> list[dict[str, Any]]:
        """The limits: warnings first, younger ones before older ones."""
        ordered = sorted(self.limits, key=lambda limit: (limit.kind == REJECT, -limit.number))
        return [limit.view() for limit in ordered]


# ------------------------------------------------------------------- schemas


def _choice(name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"required": [name], "properties": {name: schema}, **more}


def new_schema(options: QuayOptions) -> dict[str, Any]:
    """NewOrgQuota; sizes with units since 3.12."""
    if not options.at_least("3.12"):
        return {**QUOTA, **_choice("limit_bytes", BYTES_FIELD)}
    return {**QUOTA, "oneOf": [_choice("limit_bytes", BYTES_FIELD), _choice("limit", SIZE_FIELD)]}


def update_schema(options: QuayOptions) -> dict[str, Any]:
    """UpdateOrgQuota; sizes with units, and nothing besides, since 3.12."""
    if not options.at_least("3.12"):
        return {**QUOTA, "properties": {"limit_bytes": BYTES_FIELD}}
    alone: dict[str, Any] = {"additionalProperties": False}
    neither = {"properties": {"limit_bytes": {"not": {}}, "limit": {"not": {}}}, **alone}
    return {**QUOTA, "oneOf": [_choice("limit_bytes", BYTES_FIELD, **alone), _choice("limit", SIZE_FIELD, **alone), neither]}


def _check_choice(call: Call) -> None:
    """Exactly one alternative of the schema has to fit; the error is about the one that was meant."""
    choices = (call.route.body_schema(call.options) or {}).get("oneOf", ())
    if not choices:
        return
    body, update = call.body, len(choices) > 2
    both = "limit" in body and "limit_bytes" in body
    extra = set(body) - {"limit", "limit_bytes"}
    if update and (both or (extra and len(body) > len(extra))):
        name = "limit_bytes" if "limit_bytes" in body else "limit"
        where, value = f"['properties']['{name}']", body[name]
        raise invalid(
            f"{{}} is not allowed for {value!r}\n\nFailed validating 'not' in schema[2]{where}:\n    {{'not': {{}}}}\n\n"
            f"On instance['{name}']:\n    {value!r}"
        )
    if both:
        faults = [_fault(body, index, choice) for index, choice in enumerate(choices)]
        if not any(faults):
            raise invalid(f"{body!r} is valid under each of {choices[1]!r}, {choices[0]!r}")
        if all(faults):
            raise invalid(faults[0])
        return
    if update and not body:
        return
    index = 1 if "limit" in body else 0
    fault = _fault(body, index, choices[index])
    if fault:
        raise invalid(fault)


def _fault(body: Any, index: int, choice: dict[str, Any]) -> str:
    try:
        schemas.check(body, choice)
    except ApiException as error:
        return error.detail.replace(" in schema", f" in schema[{index}]", 1)
    return ""


def _wanted_bytes(call: Call, hint: str = "") -> float | None:
    """What a body wants: a whole number as bytes, a size with a unit as a float (as Quay answers it); None for nothing."""
    body = call.body
    if not call.options.at_least("3.12") or "limit" not in body:
        return body.get("limit_bytes")
    found = re.match(r"^(\d+)\s?(?:([KMGTPEZY])(i?)B?)?$", body["limit"])
    if found is None:
        # 5B passes Quay's schema, and its parser does not know that unit.
        raise invalid(f"Invalid limit format{hint}")
    base = 1024.0 if found[3] else 1000.0
    return float(found[1]) * base ** (PREFIXES.index(found[2]) + 1 if found[2] else 0)


def _checked(size: float) -> float:
    if size <= 0:
        raise invalid(f"Invalid quota size limit value: '{size}'")
    if size > MOST_BYTES:
        raise invalid("Unsupported quota size limit.")
    return size


HINT = ", use a number followed by a unit (e.g. 1GiB)"


# --------------------------------------------------------------------- views


def human(size: float) -> str:
    """`976.6 KiB`."""
    steps = 0
    while size >= 1024 and steps < len(PREFIXES):
        size, steps = size / 1024, steps + 1
    return f"{size:.1f} {PREFIXES[steps - 1] + 'iB' if steps else 'Byte'}"


def _default(options: QuayOptions) -> int:
    """The quota of namespaces that have none; 0: there is no such."""
    return int(options.settings.get(DEFAULT, 0))


def quota_view(options: QuayOptions, quota: Quota | None, size: float | None = None) -> dict[str, Any]:
    """A quota; None: the default one. `size` is what an answer to a change says in place of what is stored."""
    limit_bytes = size if size is not None else quota.limit_bytes if quota else _default(options)
    view: dict[str, Any] = {"id": quota.number if quota else None, "limit_bytes": limit_bytes}
    if options.at_least("3.12"):
        view["limit"] = human(limit_bytes)
    view["default_config"] = quota is None
    view["limits"] = quota.limit_views() if quota else []
    view["default_config_exists"] = bool(_default(options))
    return view


# -------------------------------------------------------------------- lookup


def quota_of(namespace: Namespace | None) -> Quota | None:
    """The quota of a user or an organization."""
    return namespace.extra.get("quota") if namespace else None


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Crash() from None


def _quota(namespace: Namespace | None, quota_id: str) -> Quota:
    number, found = _number(quota_id), quota_of(namespace)
    if found is None or found.number != number:
        raise not_found()
    return found


def _limit(call: Call, quota: Quota, limit_id: str) -> Limit:
    number = _number(limit_id)
    found = next((limit for limit in quota.limits if limit.number == number), None)
    if found is None:
        others = [quota_of(owner) for owner in (*call.world.users.values(), *call.world.organizations.values())]
        if any(limit.number == number for other in others if other for limit in other.limits):
            raise Message(400, "")
        raise not_found()
    return found


def _kind(text: str) -> str:
    """The type of a limit, whatever its case; ValueError for what is none."""
    for kind in (WARNING, REJECT):
        if text.lower() == kind.lower():
            return kind
    raise ValueError(f"Quota type must be one of [{WARNING}, {REJECT}]")


def _percent(value: int) -> int:
    if not 0 < value <= 100:
        raise ValueError("Quota limit threshold must be between 1 and 100")
    return value


def _as_message(check: Any, value: Any) -> Any:
    """What a check gives; its error has the shape that Quay gives to errors nobody looked after."""
    try:
        return check(value)
    except ValueError as error:
        raise Message(400, str(error)) from None


def _create(call: Call, namespace: Namespace, size: float, exists: str) -> Result:
    if quota_of(namespace) is not None:
        raise invalid(exists)
    namespace.extra["quota"] = Quota(call.world.next_id(), int(_checked(size)))
    return "Created", 201


def _change(call: Call, quota: Quota, hint: str) -> Result:
    size = _wanted_bytes(call, hint)
    # Since 3.12 a zero changes nothing; before it was refused.
    if size is None or (size == 0 and call.options.at_least("3.12")):
        return quota_view(call.options, quota)
    quota.limit_bytes = int(_checked(size))
    return quota_view(call.options, quota, size)


# ------------------------------------------------------------- organizations

ORGANIZATION = "/organization/<orgname>/quota"
_WRITE: dict[str, Any] = {"scope": "super:user"}


def _require_writer(call: Call) -> None:
    """Superusers; since 3.10.7 and 3.11.2 those with full access."""
    if not (call.full_access if call.options.at_least("3.12") else call.superuser):
        raise call.deny()


@ROUTES.get(ORGANIZATION)
def list_quotas(call: Call, orgname: str) -> Result:
    """The quota in a list, for members; the registry's default where there is none."""
    call.require_org_member(orgname)
    found = quota_of(call.organization(orgname))
    return [quota_view(call.options, found)] if found or _default(call.options) else []


@ROUTES.post(ORGANIZATION, schema=new_schema, schema_name="NewOrgQuota", **_WRITE)
def create_quota(call: Call, orgname: str) -> Result:
    """The quota of an organization."""
    _check_choice(call)
    _require_writer(call)
    size = _wanted_bytes(call, HINT)
    assert size is not None
    return _create(call, call.organization(orgname), size, f"Organization quota for '{orgname}' already exists")


@ROUTES.get(ORGANIZATION + "/<quota_id>")
def show_quota(call: Call, orgname: str, quota_id: str) -> Result:
    """The quota by its number."""
    call.require_org_member(orgname)
    return quota_view(call.options, _quota(call.world.namespace(orgname), quota_id))


@ROUTES.put(ORGANIZATION + "/<quota_id>", schema=update_schema, schema_name="UpdateOrgQuota", **_WRITE)
def change_quota(call: Call, orgname: str, quota_id: str) -> Result:
    """Another size."""
    _check_choice(call)
    _require_writer(call)
    return _change(call, _quota(call.world.namespace(orgname), quota_id), HINT)


def _drop(namespace: Namespace | None, quota_id: str) -> Result:
    _quota(namespace, quota_id)
    assert namespace is not None
    del namespace.extra["quota"]
    return None, 204


@ROUTES.delete(ORGANIZATION + "/<quota_id>", **_WRITE)
def delete_quota(call: Call, orgname: str, quota_id: str) -> Result:
    """No quota any more."""
    _require_writer(call)
    return _drop(call.world.namespace(orgname), quota_id)


@ROUTES.get(ORGANIZATION + "/<quota_id>/limit")
def list_limits(call: Call, orgname: str, quota_id: str) -> Result:
    """The limits."""
    call.require_org_member(orgname)
    return _quota(call.world.namespace(orgname), quota_id).limit_views()


@ROUTES.post(ORGANIZATION + "/<quota_id>/limit", schema=NEW_LIMIT, schema_name="NewOrgQuotaLimit", **_WRITE)
def create_limit(call: Call, orgname: str, quota_id: str) -> Result:
    """One more limit; several of a type may be there, and its number is not told."""
    _require_writer(call)
    kind, percent = call.body["type"], call.body["threshold_percent"]
    quota = _quota(call.world.namespace(orgname), quota_id)
    # Zero and the empty text match every limit in Quay's search for an equal one.
    if percent:
        _as_message(_percent, percent)
    wanted = _as_message(_kind, kind) if kind else ""
    if any((not wanted or limit.kind == wanted) and (not percent or limit.percent == percent) for limit in quota.limits):
        raise invalid("Quota limit already exists")
    try:
        quota.limits.append(Limit(call.world.next_id(), percent=_percent(percent), kind=_kind(kind)))
    except ValueError as error:
        raise invalid(str(error)) from None
    return "Created", 201


@ROUTES.get(ORGANIZATION + "/<quota_id>/limit/<limit_id>")
def show_limit(call: Call, orgname: str, quota_id: str, limit_id: str) -> Result:
    """One limit."""
    call.require_org_member(orgname)
    return _limit(call, _quota(call.world.namespace(orgname), quota_id), limit_id).view()


@ROUTES.put(ORGANIZATION + "/<quota_id>/limit/<limit_id>", schema=UPDATE_LIMIT, schema_name="UpdateOrgQuotaLimit", **_WRITE)
def change_limit(call: Call, orgname: str, quota_id: str, limit_id: str) -> Result:
    """Another type or percentage; the answer is the whole quota."""
    _require_writer(call)
    quota = _quota(call.world.namespace(orgname), quota_id)
    limit = _limit(call, quota, limit_id)
    if "type" in call.body:
        limit.kind = _as_message(_kind, call.body["type"])
    if "threshold_percent" in call.body:
        limit.percent = _as_message(_percent, call.body["threshold_percent"])
    return quota_view(call.options, quota)


@ROUTES.delete(ORGANIZATION + "/<quota_id>/limit/<limit_id>", **_WRITE)
def delete_limit(call: Call, orgname: str, quota_id: str, limit_id: str) -> Result:
    """One limit less."""
    _require_writer(call)
    quota = _quota(call.world.namespace(orgname), quota_id)
    quota.limits.remove(_limit(call, quota, limit_id))
    return None, 204


# --------------------------------------------------------------------- users


def _own(call: Call) -> Namespace:
    return call.require_user()


@ROUTES.get("/user/quota", access=user_admin, scope="user:admin")
def list_own_quotas(call: Call) -> Result:
    """The quota of the user who calls."""
    found = quota_of(_own(call))
    return [quota_view(call.options, found)] if found else []


@ROUTES.get("/user/quota/<quota_id>", access=user_admin, scope="user:admin")
def show_own_quota(call: Call, quota_id: str) -> Result:
    """The same by its number."""
    return quota_view(call.options, _quota(_own(call), quota_id))


@ROUTES.get("/user/quota/<quota_id>/limit", access=user_admin, scope="user:admin")
def list_own_limits(call: Call, quota_id: str) -> Result:
    """Its limits."""
    return _quota(_own(call), quota_id).limit_views()


@ROUTES.get("/user/quota/<quota_id>/limit/<limit_id>", access=user_admin, scope="user:admin")
def show_own_limit(call: Call, quota_id: str, limit_id: str) -> Result:
    """The whole quota, if it has that limit."""
    quota = _quota(_own(call), quota_id)
    _limit(call, quota, limit_id)
    return quota_view(call.options, quota)


# ---------------------------------------------------------------- superusers


def _serve_superusers(base: str) -> None:
    """The same operations for organizations and users: Quay tells them apart nowhere."""

    @ROUTES.get(base, **_WRITE)
    def list_for_superuser(call: Call, namespace: str) -> Result:
        """The quota of a namespace in a list."""
        call.require_superuser()
        owner = call.world.namespace(namespace)
        if owner is None:
            raise not_found()
        found = quota_of(owner)
        return [quota_view(call.options, found)] if found else []

    @ROUTES.post(base, schema=new_schema, schema_name="NewNamespaceQuota", **_WRITE)
    def create_for_superuser(call: Call, namespace: str) -> Result:
        """The quota of a namespace; one that is missing is an internal error."""
        _check_choice(call)
        call.require_superuser()
        size = _wanted_bytes(call)
        assert size is not None
        owner = call.world.namespace(namespace)
        if owner is None:
            raise Crash()
        return _create(call, owner, size, f"Quota for '{namespace}' already exists")

    @ROUTES.put(base + "/<quota_id>", schema=update_schema, schema_name="UpdateNamespaceQuota", **_WRITE)
    def change_for_superuser(call: Call, namespace: str, quota_id: str) -> Result:
        """Another size."""
        _check_choice(call)
        call.require_superuser()
        owner = call.world.namespace(namespace)
        if owner is None:
            raise Crash()
        return _change(call, _quota(owner, quota_id), "")

    @ROUTES.delete(base + "/<quota_id>", **_WRITE)
    def delete_for_superuser(call: Call, namespace: str, quota_id: str) -> Result:
        """No quota any more."""
        call.require_superuser()
        owner = call.world.namespace(namespace)
        if owner is None:
            raise Crash()
        return _drop(owner, quota_id)


for _base in ("/superuser/organization/<namespace>/quota", "/superuser/users/<namespace>/quota"):
    _serve_superusers(_base)


@ROUTES.get("/superuser/registrysize/", access=superuser, feature="SUPER_USERS", since="3.9", hidden=True, **_WRITE)
def registry_size(call: Call) -> Result:
    """The size of everything, which nobody has counted here."""
    return {"size_bytes": 0, "last_ran": None, "running": False, "queued": "registry_size_queued" in call.world.extra}


@ROUTES.post("/superuser/registrysize/", access=superuser, feature="SUPER_USERS", since="3.9", hidden=True, **_WRITE)
def queue_registry_size(call: Call) -> Result:
    """Ask for the size of everything."""
    queued = "registry_size_queued" in call.world.extra
    call.world.extra["registry_size_queued"] = True
    return "", 202 if queued else 201


# ------------------------------------------------------------------- content


def _blobs(world: World, digest: str, full_name: str) -> tuple[str, ...]:
    """Blobs of a manifest; a list has none."""
    known: dict[str, tuple[str, ...]] = world.extra.setdefault("manifest_blobs", {})
    if digest not in known:
        manifest = world.storage.manifest(full_name, digest)
        parsed = manifest.parsed if manifest else {}
        entries = [parsed.get("config"), *(parsed.get("layers") or ())]
        known[digest] = tuple(str(entry["digest"]) for entry in entries if isinstance(entry, dict) and "digest" in entry)
    return known[digest]


def _stored(world: World, full_name: str) -> set[str]:
    """Blobs that manifests of a repository need."""
    found = world.storage.repositories.get(full_name)
    return {blob for digest in found.manifests for blob in _blobs(world, digest, full_name)} if found else set()


def _size(world: World, blobs: set[str]) -> int:
    return sum(world.storage.content.size(digest) or 0 for digest in blobs)


def _stored_in(world: World, namespace: Namespace) -> set[str]:
    """Blobs that manifests of a namespace need; each counts once."""
    return set().union(*(_stored(world, repository.full_name) for repository in namespace.repositories.values()))


def _severity(options: QuayOptions, namespace: Namespace, size: int) -> str:
    """The type of the highest limit that a size reaches; empty when it reaches none."""
    quota = quota_of(namespace)
    if quota is None:
        return REJECT if 0 < _default(options) <= size else ""
    reached = [(quota.limit_bytes * limit.percent // 100, limit.kind) for limit in quota.limits]
    reached = [(allowed, kind) for allowed, kind in reached if 0 < allowed <= size]
    return max(reached, key=lambda entry: entry[0])[1] if reached else ""


def _refuse_beyond(world: World, full_name: str) -> None:
    """403 when what a namespace has, and what is being pushed to a repository of it, reaches a Reject limit.

    What has been uploaded of the push is dropped then, as Quay does it.
    """
    with world.lock:
        namespace = world.namespace(full_name.partition("/")[0])
        quota = quota_of(namespace)
        if namespace is None or not (quota.limits if quota else _default(world.options)):
            return
        stored = _stored_in(world, namespace)
        found = world.storage.repositories.get(full_name)
        pushed = found.blobs - stored - set(found.manifests) if found else set()
        if _severity(world.options, namespace, _size(world, stored | pushed)) != REJECT:
            return
        for digest in pushed:
            world.storage.unlink_blob(full_name, digest, forget=True)
    raise ApiError("DENIED", {}, message=EXCEEDED)


def install(world: World) -> None:
    """Show quotas in the views of namespaces and repositories, and refuse what is too much."""
    options = world.options
    if not options.feature("QUOTA_MANAGEMENT"):
        return

    def views(namespace: Namespace) -> list[dict[str, Any]]:
        quota = quota_of(namespace)
        return [{"id": quota.number, "limit_bytes": quota.limit_bytes, "limits": quota.limit_views()}] if quota else []

    def configured(namespace: Namespace | None) -> int | None:
        quota = quota_of(namespace)
        return quota.limit_bytes if quota else _default(options) or None

    def report(namespace: Namespace) -> dict[str, Any]:
        blobs = _stored_in(world, namespace)
        found: dict[str, Any] = {"quota_bytes": _size(world, blobs), "configured_quota": configured(namespace)}
        if options.at_least("3.9"):
            status = "complete" if blobs or quota_of(namespace) else "waiting"
            found.update(running_backfill=status, backfill_status=status)
        return found

    def repository_report(repository: Repository) -> dict[str, Any]:
        size = _size(world, _stored(world, repository.full_name))
        return {"quota_bytes": size, "configured_quota": configured(world.namespace(repository.namespace))}

    def may_upload(full_name: str) -> None:
        _refuse_beyond(world, full_name)

    def may_tag(full_name: str, tag: str, digest: str | None) -> None:
        if digest is not None:
            _refuse_beyond(world, full_name)

    world.extra.update(quota_view=views, quota_report=report, repo_quota_report=repository_report)
    world.extra.setdefault("may_upload", []).append(may_upload)
    world.extra.setdefault("may_tag", []).append(may_tag)
