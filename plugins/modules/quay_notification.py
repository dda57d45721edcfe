#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_notification
short_description: Manage notifications of repositories of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, changes and deletes what tells people and programs of events in a repository; resets failures and sends tests.
  - Quay cannot change a notification, so that one that differs is replaced, and only after the new one was accepted.
  - It needs a token with the scope repo:admin.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.quay
  - quayside.airgap.quay.place
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  repository:
    description: Repository, like V(prod/app). Without a namespace it is one of the user who asks.
    type: str
    required: true
  title:
    description:
      - Name of the notification.
      - Without it, a notification is known by all that it says, so that there is nothing to change about it.
    type: str
  event:
    description:
      - What it tells of. O(state=present) needs it, unless O(regexp) or O(search_string) is given.
      - V(repo_image_expiry) needs Quay 3.12 or later.
    type: str
    choices:
      - repo_push
      - build_queued
      - build_start
      - build_success
      - build_failure
      - build_cancelled
      - vulnerability_found
      - repo_mirror_sync_started
      - repo_mirror_sync_success
      - repo_mirror_sync_failed
      - repo_image_expiry
  method:
    description: How it tells. O(state=present) needs it, unless O(regexp) or O(search_string) is given.
    type: str
    choices: [webhook, slack, email, quay_notification, hipchat, flowdock]
  config:
    description: What the method needs.
    type: dict
    suboptions:
      type:
        description: With O(method=quay_notification), what O(config.name) is; a user where this is left out.
        type: str
        choices: [user, team, org]
      name:
        description: With O(method=quay_notification), who is told in Quay.
        type: str
      email:
        description: With O(method=email), the address. Its owner must have agreed in Quay.
        type: str
      url:
        description: With O(method=webhook) and O(method=slack), the URL that Quay posts to. Quay refuses its own machine.
        type: str
      template:
        description: With O(method=webhook), the body, as JSON.
        type: jsonarg
      room_id:
        description: With O(method=hipchat), the room.
        type: str
      notification_token:
        description: With O(method=hipchat), its token.
        type: str
      flow_api_token:
        description: With O(method=flowdock), its token.
        type: str
  vulnerability_level:
    description: With O(event=vulnerability_found), the lowest level that it tells of.
    type: str
    choices: [critical, high, medium, low, negligible, unknown]
  image_expiry_days:
    description: With O(event=repo_image_expiry), how many days before; V(7) where this is left out.
    type: int
  regexp:
    description:
      - Regular expression (Python) to find in titles. All notifications whose titles have it are meant, for O(state=absent),
        O(reset_failcount) and O(test).
    type: str
    aliases: [regex]
  search_string:
    description: As O(regexp), but a plain text.
    type: str
  reset_failcount:
    description: Forget failures; Quay stops using a notification that failed several times in a row.
    type: bool
    default: false
  test:
    description: Let Quay send a test. The task is changed then.
    type: bool
    default: false
  state:
    description:
      - V(absent) deletes all notifications that have the O(title), O(event), O(method) and O(config) that are given, or that O(regexp) or
        O(search_string) finds.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_repository
"""

EXAMPLES = r"""
- name: Tell the deployment of every push
  quayside.airgap.quay_notification:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    repository: prod/app
    title: pushes
    event: repo_push
    method: webhook
    config:
      url: https://deploy.example.com/hooks/app

- name: No notifications for tests any more
  quayside.airgap.quay_notification:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    repository: prod/app
    regexp: ^test
    state: absent
"""

RETURN = r"""
name:
  description: Full name of the repository.
  returned: success
  type: str
  sample: prod/app
objects:
  description: What was changed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: notification
    name:
      description: Name of the object.
      type: str
      sample: prod/app pushes
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [config]
    reason:
      description: Why it failed.
      type: str
      sample: ""
totals:
  description: How many objects are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    unchanged: 1
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    ensure,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.notifications import attend, wish


def main() -> None:
    """Run as a module."""
    config = {
        "type": {"type": "str", "choices": ["user", "team", "org"]},
        "name": {"type": "str"},
        "email": {"type": "str"},
        # the address of a hook is all that it takes to call it
        "url": {"type": "str", "no_log": True},
        "template": {"type": "jsonarg"},
        "room_id": {"type": "str"},
        "notification_token": {"type": "str", "no_log": True},
        "flow_api_token": {"type": "str", "no_log": True},
    }
    methods = ["webhook", "slack", "email", "quay_notification", "hipchat", "flowdock"]
    rules = quay_rules()
    rules["mutually_exclusive"] = [*rules["mutually_exclusive"], ["regexp", "search_string"]]
    module = create_module(
        dict(
            quay_spec(),
            repository={"type": "str", "required": True},
            title={"type": "str"},
            event={
                "type": "str",
                "choices": [
                    "repo_push",
                    "build_queued",
                    "build_start",
                    "build_success",
                    "build_failure",
                    "build_cancelled",
                    "vulnerability_found",
                    "repo_mirror_sync_started",
                    "repo_mirror_sync_success",
                    "repo_mirror_sync_failed",
                    "repo_image_expiry",
                ],
            },
            method={"type": "str", "choices": methods},
            config={"type": "dict", "options": config},
            vulnerability_level={"type": "str", "choices": ["critical", "high", "medium", "low", "negligible", "unknown"]},
            image_expiry_days={"type": "int"},
            regexp={"type": "str", "aliases": ["regex"]},
            search_string={"type": "str"},
            reset_failcount={"type": "bool", "default": False},
            test={"type": "bool", "default": False},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **rules,
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        wanted = wish(quay, module.params)
        told = ensure(module, quay, wanted.work)
        return attend(quay, wanted, module.params, told, check_mode=module.check_mode)

    run_quay(module, call)


if __name__ == "__main__":
    main()
