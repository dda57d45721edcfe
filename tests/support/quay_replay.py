# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a sandbox Quay what real ones were asked, and compares the answers.

with upstream() as other:
    replay = Replay("3.18", other)
    replay.play(stories()["01_initialize"])
    assert replay.differing == {}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.mirror import worked
from ansible_collections.quayside.airgap.tests.sandbox.quay.org_mirror import discovered
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.image_builders import Image, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.support.image_push import Pusher, PushError
from ansible_collections.quayside.airgap.tests.support.quay_recordings import Exchange, Names, differences

ADMIN = ("quayadmin", "quaypass123")
USER_AGENT = "python-requests/2.31.0"  # not that of a browser
KEPT = ("users", "organizations", "applications", "tokens")
HEADERS = {"retry_after": "Retry-After", "next_csrf": "X-Next-CSRF-Token", "location": "Location"}
TIME_LIMIT = 20


def upstream() -> SandboxQuay:
    """The other Quay of the laboratory, from which things were mirrored: a public repository, and one that a robot may read."""
    found = SandboxQuay()
    found.add_user("up")
    found.add_organization("upstream", "up")
    for name in ("pub", "priv"):
        found.add_repository(f"upstream/{name}", public=name == "pub")
        found.load(f"upstream/{name}", "1", simple_image(f"upstream {name}"))
    found.load("upstream/pub", "multi", multi_arch("upstream multi"))
    found.add_robot("upstream+puller")
    found.permit("upstream/priv", "upstream+puller", "read")
    return found


def images() -> dict[str, Image]:
    """The images of the laboratory, by name."""
    labels: dict[str, dict[str, str]] = {"a": {}, "b": {"who": "b"}, "c": {"quay.expires-after": "2h"}}
    found = {name: simple_image(f"recorded {name}", fmt="docker", layers=1, config={"Labels": value}) for name, value in labels.items()}
    return {**found, "big": simple_image("recorded big", size=1 << 20), "multi": multi_arch("recorded multi")}


class Replay:
    """A sandbox Quay that is asked what a real one was asked.

    :ivar differing: name of an exchange -> in what the sandbox's answer differs.
    :ivar compared: the exchanges that were compared.
    """

    def __init__(self, version: str, other: SandboxQuay) -> None:
        self.differing: dict[str, list[str]] = {}
        self.compared: list[Exchange] = []
        self._version = version
        self._images = images()
        self._known = {
            "upstream": f"localhost:{other.port}",
            "puller": other.world.robots["upstream+puller"].token,
            "bad": "bad",
            "token": "wrong",
        }
        self._names = Names()
        self._sessions: dict[tuple[str, int], requests.Session] = {}
        self._quay = SandboxQuay(QuayOptions(version=version))
        self._steps = {
            "server": self._serve,
            "push": self._push,
            "log_in": self._log_in,
            "delete": self._delete,
            "load": self._load,
            "make": self._make,
            "mirrored": self._mirror,
            "world": self._change_world,
            "whitelist": self._allow,
            "call": self._ask,
        }

    def play(self, lines: Iterable[Exchange]) -> None:
        """Go through lines of recordings."""
        recording = ""
        try:
            for line in lines:
                if line.recording != recording:
                    self._names.forget_numbered()
                    recording = line.recording
                for name, step in self._steps.items():
                    if name in line.values:
                        step(line)
        finally:
            self._stop()

    def _stop(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._quay.stop()

    # ------------------------------------------------------------------ steps

    def _serve(self, line: Exchange) -> None:
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in line.values["server"].items()}
        before, known = self._quay.world, self._names.known
        self._stop()
        self._quay = SandboxQuay(QuayOptions(**{"version": self._version, **options}))
        self._quay.start()
        self._names = Names({**self._known, "host": self._quay.host})
        if line.values.get("keep"):
            self._names = Names({**known, **self._names.known})
            for part in KEPT:
                getattr(self._quay.world, part).update(getattr(before, part))

    def _push(self, line: Exchange) -> None:
        repository, _colon, tag = line.values["push"].rpartition(":")
        who = line.values.get("as")
        login = (who, self._quay.world.robots[who].token) if who else ADMIN
        try:
            Pusher(self._quay.url, login).push(repository, tag, self._images[line.values["image"]])
            done = True
        except PushError:
            done = False
        if done != line.values["done"]:
            self.differing[line.name] = [f"the push of {line.values['push']} {'succeeds' if done else 'fails'}"]

    def _log_in(self, line: Exchange) -> None:
        self._registry_token(line, line.values["log_in"])

    def _registry_token(self, line: Exchange, scope: str) -> str:
        asked = {"scope": scope, "service": self._quay.service}
        answer = self._browser(line).get(f"{self._quay.url}/v2/auth", params=asked, auth=ADMIN, timeout=TIME_LIMIT)
        return str(answer.json()["token"])

    def _delete(self, line: Exchange) -> None:
        repository, image = line.values["delete"], self._images[line.values["image"]]
        headers = {"Authorization": f"Bearer {self._registry_token(line, f'repository:{repository}:*')}"}
        url = f"{self._quay.url}/v2/{repository}/manifests/{image.digest}"
        self._browser(line).delete(url, headers=headers, timeout=TIME_LIMIT)

    def _load(self, line: Exchange) -> None:
        repository, _colon, tag = line.values["load"].rpartition(":")
        self._quay.load(repository, tag, self._images[line.values["image"]])

    def _make(self, line: Exchange) -> None:
        for number in range(line.values["number"]):
            self._quay.add_repository(f"{line.values['make']}{number:03}", public=True)

    def _mirror(self, line: Exchange) -> None:
        values, world = line.values, self._quay.world
        with world.lock:
            if "found" in values:
                discovered(world, world.organizations[values["mirrored"]], values["found"], values["status"], values.get("message"))
                return
            worked(world.repositories[values["mirrored"]].extra["mirror"], well=values["well"])
        for tag in values.get("tags", ()):
            self._quay.load(values["mirrored"], tag, self._images["a"])

    def _change_world(self, line: Exchange) -> None:
        self._quay.world.extra.update(line.values["world"])

    def _allow(self, line: Exchange) -> None:
        self._quay.quay.whitelist = tuple(self._names.put(line.values["whitelist"]))

    # --------------------------------------------------------------- requests

    def _ask(self, line: Exchange) -> None:
        self._wait(line.values.get("waited", ()))
        self.compared.append(line)
        try:
            answer = self._send(line)
        except KeyError as error:
            found = [f"nothing was called {error} so far"]
        else:
            found = list(self._compare(line, answer))
        if found:
            self.differing[line.name] = found

    def _wait(self, what: Iterable[str]) -> None:
        """Forget at once what a Quay forgets with time."""
        world = self._quay.world
        for name in what:
            if name == "login":
                world.failures.clear()
            elif name == "deleted names":
                world.deleted_names.clear()
            elif name in self._names.known:
                world.tokens[self._names.known[name]].expires = 0.0

    def _send(self, line: Exchange) -> requests.Response:
        method, path = self._names.put(line.call).split(" ", 1)
        session = self._browser(line)
        wanted = {**self._request(line.values), "allow_redirects": line.values.get("follow", False)}
        answer = session.request(method, self._quay.url + path, timeout=TIME_LIMIT, **wanted)
        if "session" not in line.values:
            session.cookies.clear()
        return answer

    def _browser(self, line: Exchange) -> requests.Session:
        """The browser of a request, or what forgets all cookies."""
        key = (line.recording, line.values["session"]) if "session" in line.values else ("", 0)
        if key not in self._sessions:
            made = self._sessions[key] = requests.Session()
            made.trust_env = False
            made.headers["User-Agent"] = USER_AGENT
        return self._sessions[key]

    def _request(self, values: Mapping[str, Any]) -> dict[str, Any]:
        wanted: dict[str, Any] = {"headers": self._names.put(values.get("headers", {})), "params": self._names.put(values.get("query", {}))}
        scheme, _space, login = values.get("as", "").partition(" ")
        if login:
            wanted["auth"] = tuple(self._names.put(login).split(":", 1))
        elif scheme:
            wanted["headers"]["Authorization"] = f"Bearer {self._names.known[scheme]}"
        for part, argument in (("json", "json"), ("form", "data"), ("raw", "data")):
            if part in values:
                wanted[argument] = self._names.put(values[part])
        return wanted

    def _compare(self, line: Exchange, answer: requests.Response) -> Iterator[str]:
        values = line.values
        if answer.status_code != values["status"]:
            yield f"status is {answer.status_code}, was {values['status']}: {answer.text[:200]}"
            return
        given = answer.headers.get("Content-Type", "")
        if values["type"] and values["type"] not in given:
            yield f"content type is {given}, was {values['type']}"
        for name, header in HEADERS.items():
            if (name in values) != (header in answer.headers):
                yield f"{header} is {answer.headers.get(header)}, was {values.get(name)}"
            elif name in values and not self._names.match(values[name], answer.headers[header]):
                yield f"{header} is {answer.headers[header]}, was {values[name]}"
        try:
            body = answer.json()
        except ValueError:
            body = None
        if values.get("page"):
            if body is not None:
                yield "the answer is JSON, was a page"
        elif "answer" in values:
            yield from differences(values["answer"], body, self._names, "answer", line.partial)
        elif answer.content.strip() not in (b"", b"null"):
            yield f"the answer is {answer.text[:200]}, was empty"
