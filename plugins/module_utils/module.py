# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module shares: options of a family, running the core, and turning what it says into Ansible's words."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import run as run_work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.results import failed, message, summary
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions

Spec = dict[str, dict[str, Any]]
SOURCE, DESTINATION = "source", "destination"
_SIDES = (SOURCE, DESTINATION)


class Failure(Exception):
    """Ends a module with ``fail_json``, with results beside the message."""

    def __init__(self, message: str, results: Mapping[str, Any]) -> None:
        self.message = message
        self.results = results
        super().__init__(message)


class _DiscreetModule(AnsibleModule):  # type: ignore[misc]
    """Tells nobody what some of its options were given: neither the system's log nor, with -vvv, the user, whatever is wrong with them.

    For values that hold secrets among other things: with ``no_log``, Ansible would cross out all their words wherever they appear.
    """

    def __init__(self, hidden: Sequence[str], **arguments: Any) -> None:
        self._hidden = tuple(hidden)
        super().__init__(no_log=True, **arguments)

    def exit_json(self, **kwargs: Any) -> None:
        self._hide()
        super().exit_json(**kwargs)

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        self._hide()
        super().fail_json(msg, **kwargs)

    def _hide(self) -> None:
        for name in self._hidden:
            if self.params.get(name) is not None:
                self.params[name] = "not shown"


def create_module(spec: Spec, *, libraries: Sequence[str] = ("requests",), hidden: Sequence[str] = (), **rules: Any) -> AnsibleModule:
    """The AnsibleModule for an argument spec, with check mode, and with its libraries at hand or a message that names them.

    :param libraries: import names, see :func:`thirdparty.load`.
    :param hidden: options whose values hold secrets among other things.
    :param rules: ``mutually_exclusive``, ``required_together`` and the like.
    """
    arguments = {"argument_spec": spec, "supports_check_mode": True, **rules}
    module = _DiscreetModule(hidden, **arguments) if hidden else AnsibleModule(**arguments)
    try:
        for name in libraries:
            load(name)
    except AirgapError as error:
        module.fail_json(msg=str(error))
    return module


def run(module: AnsibleModule, call: Callable[[], Mapping[str, Any]]) -> NoReturn:
    """Call the core and end the module with what it returns, or with what went wrong. The one place where errors end.

    :param call: returns the results, ``changed`` among them; may raise :class:`Failure` or any AirgapError.
    """
    try:
        results = call()
    except Failure as failure:
        module.fail_json(msg=failure.message, **failure.results)
    except AirgapError as error:
        module.fail_json(msg=str(error))
    except KeyboardInterrupt:
        module.fail_json(msg="It was interrupted. What was stored so far is complete in itself; run the task again to go on.")
    except Exception as error:  # an error of ours that was not foreseen: still a sentence, with the traceback for the report
        module.fail_json(msg=f"An unforeseen error in this module: {type(error).__name__}: {error}", exception=traceback.format_exc())
    else:
        module.exit_json(**results)
    raise AssertionError("exit_json and fail_json end the process")


def sides_spec(*sides: str) -> Spec:
    """Options for reaching registries, documented by the fragment ``quayside.airgap.registries`` and its parts ``.source`` and
    ``.destination``.

    :param sides: ``SOURCE`` or ``DESTINATION``; both where nothing is said.
    """
    spec: Spec = {
        "authfile": {"type": "path"},
        "parallel": {"type": "int", "default": 16},
        "retries": {"type": "int", "default": 5},
        "timeout": {"type": "int", "default": 60},
    }
    if SOURCE in (sides or _SIDES):
        spec["registries_conf"] = {"type": "str"}
    for side in sides or _SIDES:
        spec.update(
            {
                f"{side}_username": {"type": "str"},
                f"{side}_password": {"type": "str", "no_log": True},
                f"{side}_validate_certs": {"type": "bool", "default": True},
                f"{side}_ca_path": {"type": "path"},
                f"{side}_client_cert": {"type": "path"},
                f"{side}_client_key": {"type": "path"},
            }
        )
    return spec


def sides_rules(*sides: str) -> dict[str, Any]:
    """Rules that belong to :func:`sides_spec`."""
    return {
        "required_together": [[f"{side}_username", f"{side}_password"] for side in sides or _SIDES],
        "required_by": {f"{side}_client_key": f"{side}_client_cert" for side in sides or _SIDES},
    }


def side_options(params: Mapping[str, Any], side: str) -> SideOptions:
    """One side as the user described it.

    :param side: ``SOURCE`` or ``DESTINATION``.
    """
    username = params[f"{side}_username"]
    return SideOptions(
        tls=TlsSettings(
            verify=params[f"{side}_validate_certs"],
            ca_path=params[f"{side}_ca_path"],
            client_cert=params[f"{side}_client_cert"],
            client_key=params[f"{side}_client_key"],
        ),
        # templates leave an empty string where nothing was set
        credentials=Credentials(username, params[f"{side}_password"] or "") if username else None,
    )


def wire_options(params: Mapping[str, Any]) -> WireOptions:
    """What both sides share, as the user described it."""
    return WireOptions(parallel=params["parallel"], retries=params["retries"], timeout=params["timeout"], authfile=params["authfile"])


def quay_spec() -> Spec:
    """Options for reaching a Quay and logging in, documented by the fragment ``quayside.airgap.quay``."""
    return {
        **quay_place_spec(),
        "quay_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["QUAY_TOKEN"])},
        "quay_username": {"type": "str", "fallback": (env_fallback, ["QUAY_USERNAME"])},
        "quay_password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["QUAY_PASSWORD"])},
    }


def quay_place_spec() -> Spec:
    """Options for reaching a Quay, documented by the fragment ``quayside.airgap.quay.place``."""
    return {
        "quay_host": {"type": "str", "default": "http://127.0.0.1", "fallback": (env_fallback, ["QUAY_HOST"])},
        "validate_certs": {
            "type": "bool",
            "default": True,
            "aliases": ["verify_ssl"],
            "fallback": (env_fallback, ["QUAY_VERIFY_SSL"]),
        },
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path"},
        "timeout": {"type": "float", "default": 60.0, "fallback": (env_fallback, ["QUAY_TIMEOUT"])},
        "retries": {"type": "int", "default": 5},
        "parallel": {"type": "int", "default": 16},
    }


def quay_rules() -> dict[str, Any]:
    """Rules that belong to :func:`quay_spec`."""
    return {
        # a token and a user exclude each other in quay_options(), where the task goes before the environment
        "mutually_exclusive": [],
        "required_together": [["quay_username", "quay_password"]],
        **quay_place_rules(),
    }


def quay_place_rules() -> dict[str, Any]:
    """Rules that belong to :func:`quay_place_spec`."""
    return {"required_by": {"client_key": "client_cert"}}


def quay_options(params: Mapping[str, Any]) -> QuayOptions:
    """A Quay as the user described it.

    :raises InputError: for a token and a user together.
    """
    token, username = params.get("quay_token") or None, params.get("quay_username") or None
    if token and username:
        if username == os.environ.get("QUAY_USERNAME"):
            username = None
        elif token == os.environ.get("QUAY_TOKEN"):
            token = None
        else:
            raise InputError("quay_token", "a user is given too", "Give either quay_token, or quay_username with quay_password.")
    return QuayOptions(
        host=params["quay_host"],
        token=token,
        username=username,
        password=params.get("quay_password") if username else None,
        tls=TlsSettings(
            verify=params["validate_certs"],
            ca_path=params["ca_path"],
            client_cert=params["client_cert"],
            client_key=params["client_key"],
        ),
        parallel=params["parallel"],
        retries=params["retries"],
        timeout=params["timeout"],
    )


def run_quay(module: AnsibleModule, call: Callable[[QuayClient], Mapping[str, Any]]) -> NoReturn:
    """As :func:`run`, with a client for the Quay of the module's options."""

    def with_client() -> Mapping[str, Any]:
        with QuayClient(quay_options(module.params)) as quay:
            return call(quay)

    run(module, with_client)


def ensure(module: AnsibleModule, quay: QuayClient, work: Work, *, counted: bool = False) -> dict[str, Any]:
    """Bring objects of a Quay into the state that the user wants, or only foretell it in check mode; gives the task's results.

    What the changes gave, a robot's token for one, is in ``work.given`` then.

    :param counted: tell how many requests were made, too.
    :returns: see :func:`results.summary`.
    :raises Failure: when a part of it failed.
    """
    outcomes = run_work(quay, work, check_mode=module.check_mode)
    told_by_changes = [str(results["warning"]) for results in work.given.values() if "warning" in results]
    for text in dict.fromkeys([*work.warnings, *told_by_changes]):
        module.warn(text)
    told = {**summary(outcomes), **({"requests": dict(quay.requests)} if counted else {})}
    if failed(outcomes):
        raise Failure(message(outcomes), told)
    return told
