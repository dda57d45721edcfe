# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that Quay shows to everybody; superusers write and delete them, nobody changes one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import FORBIDDEN_MESSAGE, HTML, NOT_FOUND_MESSAGE, Crash, Message
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import World

ROUTES = Routes("globalmessages")

NEW_MESSAGE = {
    "type": "object",
    "description": "Create a new message",
    "properties": {
        "message": {
            "type": "object",
            "description": "A single message",
            "required": ["content", "media_type", "severity"],
            "properties": {
                "content": {"type": "string", "description": "The actual message"},
                "media_type": {"type": "string", "description": "The media type of the message", "enum": ["text/plain", "text/markdown"]},
                "severity": {"type": "string", "description": "The severity of the message", "enum": ["info", "warning", "error"]},
            },
        },
    },
}


def messages(world: World) -> dict[str, dict[str, Any]]:
    """All messages by uuid, in the order of writing."""
    found: dict[str, dict[str, Any]] = world.extra.setdefault("messages", {})
    return found


def _superusers_only(call: Call) -> None:
    """Others get the framework's own refusal, not Quay's."""
    call.require_fresh_login()
    if not call.superuser:
        raise Message(403, FORBIDDEN_MESSAGE)


@ROUTES.get("/messages")
def list_messages(call: Call) -> Result:
    """All messages, for everybody."""
    return {"messages": list(messages(call.world).values())}


@ROUTES.post("/messages", schema=NEW_MESSAGE, schema_name="CreateMessage", scope="super:user")
def create(call: Call) -> Result:
    """A new message, however many there are that say the same; its uuid is not told."""
    if not call.options.feature("SUPER_USERS"):
        raise Message(404, NOT_FOUND_MESSAGE)
    _superusers_only(call)
    if "message" not in call.body:
        raise Crash()
    told = call.body["message"]
    number = str(uuid4())
    messages(call.world)[number] = {"uuid": number, **{name: told[name] for name in ("content", "severity", "media_type")}}
    return HttpResponse(201, {"Content-Type": HTML})


@ROUTES.delete("/message/<uuid>", feature="SUPER_USERS", scope="super:user")
def delete(call: Call, uuid: str) -> Result:
    """Delete a message; one that is not there is deleted, too."""
    _superusers_only(call)
    messages(call.world).pop(uuid, None)
    return HttpResponse(204, {"Content-Type": HTML})
