# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to an answer: route, authentication, the checks that come before every handler, and the pages of the UI."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import HTML, Abort, Answer, Crash, Refusal, json_response, page
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import API, Call, Route, Router, reply
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import World

COOKIE = "_csrf_token"
BAD_CSRF = "CSRF token was invalid or missing."
NO_ANONYMOUS = "Anonymous access is not allowed"
READ_ONLY = "System is currently read-only. Pulls will succeed but all write operations are currently suspended."
BROWSER = "API calls must be invoked with an X-Requested-With header if called from a browser"
UI_SIZE = 85000
SAFE = ("GET", "HEAD", "OPTIONS")


class QuayApi:
    """Answers everything that is not below /v2.

    pause   waits for the time that checking a bearer token takes
    """

    def __init__(self, options: QuayOptions, world: World, routes: list[Route], pause: Callable[[float], object]) -> None:
        self.router = Router(routes, options)
        self._options = options
        self._world = world
        self._pause = pause

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request."""
        ill = self._world.extra.get("unhealthy", ())
        if "web_gunicorn" in ill:
            return page(502, "Quay Loading", "Quay is currently starting or under maintenance.")
        route, parameters, known = self.router.find(request.method, request.path)
        if route is None:
            return self._elsewhere(request, known)
        if route.slash and not request.path.endswith("/"):
            return self._redirect(request)
        if "database" in ill and not (route.open and request.method in SAFE) and not request.path.startswith("/health"):
            return Crash().response(request.base_url)
        call = Call(request, self._world, self._options, route, request.base_url)
        call.parameters = parameters
        try:
            self._admit(call)
            body_first = route.access is None
            if body_first:
                call.read_body()
            with self._world.lock:
                if route.access is not None:
                    route.access(call)
            if not body_first:
                call.read_body()
            with self._world.lock:
                result = route.handler(call, **parameters)
            response = reply(result)
        except Refusal as refusal:
            response = refusal.response(request.base_url)
        response.headers = {**response.headers, **call.headers}
        return response

    # ------------------------------------------------------------------ checks

    def _admit(self, call: Call) -> None:
        request, route = call.request, call.route
        api = not route.absolute
        browser = request.headers.get("user-agent", "").startswith("Mozilla/")
        scripted = request.headers.get("x-requested-with", "").lower() == "xmlhttprequest"
        if api and self._options.xhr_only and browser and not scripted:
            raise Abort(400, BROWSER)
        self._authenticate(call)
        if request.method not in SAFE and route.csrf and call.token is None:
            check_csrf(call)
        if api and call.user is None and not route.open and not self._options.feature("ANONYMOUS_ACCESS"):
            raise Abort(401, NO_ANONYMOUS)
        if self._options.registry_state == "readonly" and request.method not in SAFE and not route.open:
            raise read_only()

    def _authenticate(self, call: Call) -> None:
        """Bearer token, else session; what is not valid counts as nothing at all."""
        scheme, _space, value = call.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and not call.route.absolute:
            with self._world.lock:
                token = self._world.token(value.strip())
            if token is not None:
                call.token = token
                call.scopes = token.scopes
                call.user = self._world.users.get(token.user)
                token.last_accessed = time.time()
                if self._options.api_latency:
                    self._pause(self._options.api_latency)
                return
        number = cookie_of(call.request)
        session = self._world.sessions.get(number) if number else None
        if session is None:
            return
        call.session = session
        user = self._world.users.get(session.user)
        if user is not None and user.enabled:
            call.user = user

    # ----------------------------------------------------------------- the rest

    def _elsewhere(self, request: HttpRequest, known: bool) -> HttpResponse:
        """What is not a route: the catch-all of the UI."""
        path = request.path
        if request.method == "OPTIONS":
            return HttpResponse(200, {"Allow": "GET, HEAD, OPTIONS", "Content-Type": HTML})
        if request.method not in SAFE:
            if known and path.startswith(API + "/"):
                return json_response(405, {"message": "The method is not allowed for the requested URL."})
            if not self._options.at_least("3.9") and not path.endswith("/"):
                return Crash().response(request.base_url)
            text = "The method is not allowed for the requested URL."
            return page(405, "Method Not Allowed", text, {"Allow": "GET, HEAD, OPTIONS"})
        if path.startswith("/api/"):
            return ui_page(404) if path.endswith("/") else self._redirect(request)
        return HttpResponse(200, {"Content-Type": HTML}, b"<!doctype html><title>Quay UI stub (React UI not built)</title>\n")

    @staticmethod
    def _redirect(request: HttpRequest) -> HttpResponse:
        target = request.base_url + quote(request.path, safe="/+:@$") + "/"
        target += f"?{request.raw_query}" if request.raw_query else ""
        text = f'You should be redirected automatically to the target URL: <a href="{target}">{target}</a>. If not, click the link.'
        return page(308, "Redirecting...", text, {"Location": target})


def cookie_of(request: HttpRequest) -> str:
    """The number of the browser session, empty without one."""
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def check_csrf(call: Call, form: str = "") -> None:
    """403 when a request with a session (or nothing) lacks its CSRF token."""
    given = call.request.headers.get("x-csrf-token") or form or call.request.first(COOKIE)
    if call.session is None or given != call.session.csrf:
        who = f" (authorized: user {call.user.name})" if call.user else ""
        raise Abort(403, BAD_CSRF + who)


def read_only() -> Refusal:
    """503 of a registry that takes no writes."""
    return Answer(json_response(503, {"is_readonly": True, "message": READ_ONLY}))


def ui_page(status: int) -> HttpResponse:
    """The page of the UI that answers an unknown path: long, and not JSON."""
    head = '<!DOCTYPE html>\n<html ng-app="quay" class="onprem">\n  <head>\n    <base href="/">\n  <title>Quay</title>\n'
    filler = "  <!-- " + "sandbox " * ((UI_SIZE - len(head)) // 8) + "-->\n"
    return HttpResponse(status, {"Content-Type": HTML}, f"{head}{filler}  </head>\n</html>\n".encode())
