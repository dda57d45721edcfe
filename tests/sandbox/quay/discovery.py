# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Quay says of itself: configuration, its own description, capabilities, health, error types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import STATUS, Abort, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import PARAMETER, Call, Result, Route, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import SCOPES

ROUTES = Routes("discovery")

ERROR = ("status", "error_message", "title", "error_type", "detail", "type")
DESCRIPTIONS = {
    "invalid_token": "The access token provided was invalid.",
    "expired_token": "The access token provided has expired.",
    "invalid_request": "The request was invalid.",
    "insufficient_scope": "The access token did not have sufficient scope to access the requested resource.",
    "fresh_login_required": "The action requires a fresh login to succeed.",
    "not_found": "The resource was not found.",
}


@ROUTES.get("/discovery", open=True, query=("internal",))
def discovery(call: Call) -> Result:
    """The description of the API (swagger 2.0) as far as this sandbox has it."""
    internal = call.flag("internal")
    cached = call.world.extra.setdefault("discovery", {})
    if internal not in cached:
        routes = [route for route in call.world.extra["routes"] if internal or not route.internal]
        cached[internal] = describe(routes, call.options, call.request.headers.get("host", ""))
    return cached[internal]


def describe(routes: list[Route], options: QuayOptions, host: str) -> dict[str, Any]:
    """Paths and definitions of the operations that exist; of definitions with the same name the last one is seen, as in Quay."""
    paths: dict[str, dict[str, Any]] = {}
    definitions: dict[str, Any] = {
        "ApiError": {
            "type": "object",
            "required": ["status", "type", "title"],
            "properties": {name: {"type": "integer" if name == "status" else "string"} for name in ERROR},
        }
    }
    for route in routes:
        if route.absolute or route.hidden:
            continue
        entry = paths.setdefault(route.swagger_path, _path(route))
        operation: dict[str, Any] = {"operationId": route.handler.__name__, "parameters": [], "tags": [route.tag]}
        schema = route.body_schema(options)
        if schema is not None:
            name = route.schema_name or f"{route.tag}_{route.handler.__name__}"
            definitions[name] = _plain(schema)
            body = {"name": "body", "in": "body", "required": True, "description": "Request body contents."}
            operation["parameters"].append({**body, "schema": {"$ref": f"#/definitions/{name}"}})
        for query in route.query:
            operation["parameters"].append({"name": query, "in": "query", "required": False, "type": "string"})
        if route.scope:
            operation["security"] = [{"oauth2_implicit": [route.scope]}]
        operation["responses"] = {"default": {"description": "Answer"}}
        entry[route.method.lower()] = operation
    return {
        "swagger": "2.0",
        "host": host,
        "basePath": "/",
        "schemes": ["http"],
        "info": {"version": "v1", "title": "Quay Frontend"},
        "securityDefinitions": {"oauth2_implicit": {"type": "oauth2", "flow": "implicit", "scopes": dict.fromkeys(SCOPES, "")}},
        "paths": paths,
        "definitions": definitions,
        "tags": [{"name": tag} for tag in sorted({route.tag for route in routes})],
    }


def _path(route: Route) -> dict[str, Any]:
    names = [found[2] for found in PARAMETER.finditer(route.path)]
    return {
        "x-path": route.swagger_path,
        "x-tag": route.tag,
        "parameters": [{"name": name, "in": "path", "required": True, "type": "string"} for name in names],
    }


def _plain(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _plain(value) for key, value in schema.items()}
    return [_plain(value) for value in schema] if isinstance(schema, (list, tuple)) else schema


@ROUTES.get("/config", absolute=True, since="3.8")
def config(call: Call) -> Result:
    """The configuration that everybody may see."""
    options = call.options
    features = options.shown_features
    shown = ("ASSIGN_OAUTH_TOKEN", "AUTO_PRUNE", "EDIT_QUOTA", "IMMUTABLE_TAGS_CAN_EXPIRE", "ORG_MIRROR", "PROXY_CACHE")
    answer: dict[str, Any] = {
        "account_recovery_mode": False,
        "config": {
            "AUTHENTICATION_TYPE": "Database",
            "AVATAR_KIND": "local",
            **{f"FEATURE_{name}": features[name] for name in (*shown, "QUOTA_MANAGEMENT", "REPO_MIRROR") if name in features},
            "LOCAL_OAUTH_HANDLER": "/oauth/localapp",
            "PREFERRED_URL_SCHEME": call.base_url.partition(":")[0],
            "REGISTRY_TITLE": "Sandbox Quay",
            "SERVER_HOSTNAME": call.base_url.partition("//")[2],
            "SETUP_COMPLETE": True,
            "TAG_EXPIRATION_OPTIONS": list(options.tag_expiration_options),
            **options.settings,
        },
        "external_login": [],
        "features": features,
        "oauth": {},
        "registry_state": options.registry_state,
    }
    if options.at_least("3.16"):
        answer["version_number"] = f"Quay v{options.version}.0"
    return answer


@ROUTES.get("/registry/capabilities", open=True, since="3.17")
def capabilities(call: Call) -> Result:
    """What /v2 can do."""
    sparse = call.options.feature("SPARSE_INDEX")
    return {
        "sparse_manifests": {"supported": sparse, "required_architectures": [], "optional_architectures_allowed": False},
        "mirror_architectures": ["amd64", "arm64", "ppc64le", "s390x"],
    }


@ROUTES.get("/error/<error_type>", open=True)
def error_type(call: Call, error_type: str) -> Result:
    """What a type of error means."""
    if error_type not in STATUS:
        raise not_found()
    text = DESCRIPTIONS.get(error_type, error_type.replace("_", " ").capitalize() + ".")
    return {"type": f"{call.base_url}/api/v1/error/{error_type}", "title": error_type, "description": text}


# ------------------------------------------------------------------- health

INSTANCE = ("auth", "database", "disk_space", "registry_gunicorn", "service_key", "web_gunicorn")
WHOLE = ("auth", "database", "redis", "storage")


def _health(call: Call, names: tuple[str, ...]) -> Result:
    """200 while every service is well; `world.extra["unhealthy"]` names those that are not.

    Without `web_gunicorn` nothing answers, without `database` little does.
    """
    ill = call.world.extra.get("unhealthy", ())
    services = {name: name not in ill for name in names}
    status = 200 if all(services.values()) else 503
    return {"data": {"services": services}, "status_code": status}, status


@ROUTES.get("/health", absolute=True)
def health(call: Call) -> Result:
    """This process."""
    return _health(call, INSTANCE)


@ROUTES.get("/health/instance", absolute=True)
def health_instance(call: Call) -> Result:
    """This process."""
    return _health(call, INSTANCE)


@ROUTES.get("/health/endtoend", absolute=True)
def health_endtoend(call: Call) -> Result:
    """Everything."""
    return _health(call, WHOLE)


@ROUTES.get("/status", absolute=True)
def status(call: Call) -> Result:
    """Everything."""
    return _health(call, WHOLE)


@ROUTES.get("/health/warning", absolute=True)
def health_warning(call: Call) -> Result:
    """Disk space."""
    return _health(call, ("disk_space_warning",))


@ROUTES.get("/health/dbrevision", absolute=True)
def health_revision(call: Call) -> Result:
    """Not shown."""
    raise Abort(404, "Not Found")


@ROUTES.get("/_internal_ping", absolute=True)
def ping(call: Call) -> Result:
    """The word true."""
    return HttpResponse(200, {"Content-Type": "text/html; charset=utf-8"}, b"true")
