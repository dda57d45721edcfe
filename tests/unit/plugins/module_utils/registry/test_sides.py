# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of a copy: whose credentials go where, and how each registry is reached."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import (
    Endpoint,
    RegistriesConf,
    Rule,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions, make_side
from ansible_collections.quayside.airgap.tests.unit.plugins import sides
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply

OPEN = TlsSettings(verify=False)
SECRET = Credentials("bot", "secret")
QUICK = WireOptions(retries=0)


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def ask():
    """Calls a registry through a side, and closes it."""
    made = []

    def call(side, server):
        made.append(side)
        return side.client(server.host).head_manifest("a", "1")

    yield call
    for side in made:
        side.close()


def basic(*_args):
    """A registry that wants a login, and remembers who came."""

    def answer(request):
        if "authorization" in request.headers:
            return reply(404)
        return reply(401, "{}", WWW_Authenticate='Basic realm="r"')

    return ScriptedServer(answer)


def shown(server):
    return {call.headers["authorization"] for call in server.calls if "authorization" in call.headers}


# --- credentials


def test_credentials_go_to_the_registry_that_was_named(ask):
    with basic() as named, basic() as other:
        side = make_side("source", SideOptions(OPEN, SECRET), QUICK, [named.host, other.host], named=(named.host,), conf=RegistriesConf())
        ask(side, named)
        with pytest.raises(Exception, match="No credentials were found"):
            ask(side, other)
        assert shown(named) == {SECRET.basic()}
        assert shown(other) == set()


def test_all_destinations_that_were_named_get_them(ask):
    with basic() as one, basic() as two:
        side = make_side("destination", SideOptions(OPEN, SECRET), QUICK, [one.host, two.host], named=(one.host, two.host))
        ask(side, one)
        ask(side, two)
        assert shown(one) == shown(two) == {SECRET.basic()}


def test_where_there_is_one_registry_it_is_the_one(ask):
    with basic() as only:
        side = make_side("source", SideOptions(OPEN, SECRET), QUICK, [only.host, only.host], named=())
        ask(side, only)
        assert shown(only) == {SECRET.basic()}


def test_a_password_for_nobody_in_particular_is_refused():
    with pytest.raises(InputError) as caught:
        make_side("source", SideOptions(OPEN, SECRET), QUICK, ["b.example", "a.example"])
    assert "a.example, b.example" in str(caught.value)
    assert "authfile" in caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_mirror_does_not_get_the_credentials_of_what_it_mirrors(ask):
    with basic() as named, basic() as mirror:
        conf = RegistriesConf((Rule(named.host, Endpoint(named.host), (Endpoint(mirror.host),)),))
        side = make_side("source", SideOptions(OPEN, SECRET), QUICK, [named.host], named=(named.host,), conf=conf)
        client, reference = side.candidates(parse_reference(f"{named.host}/a:1"))[0]
        assert client.registry == mirror.host
        with pytest.raises(Exception, match="No credentials were found"):
            client.head_manifest(reference.repository, "1")
        side.close()
        assert shown(mirror) == set()


def test_the_authfile_is_for_every_registry_that_was_not_given_credentials(ask, tmp_path):
    with basic() as named, basic() as other:
        authfile = tmp_path / "auth.json"
        authfile.write_text(f'{{"auths": {{"{named.host}": {{"auth": "eDp5"}}, "{other.host}": {{"auth": "eDp5"}}}}}}')
        wire = WireOptions(retries=0, authfile=str(authfile))
        side = make_side("source", SideOptions(OPEN, SECRET), wire, [named.host, other.host], named=(named.host,))
        ask(side, named)
        ask(side, other)
        assert shown(named) == {SECRET.basic()}
        assert shown(other) == {"Basic eDp5"}


@pytest.mark.parametrize(
    ("option", "value"),
    [("parallel", 0), ("parallel", 65), ("retries", -1), ("retries", 101), ("timeout", 0), ("timeout", 86401)],
)
def test_numbers_out_of_all_proportion_are_refused_by_name(option, value):
    with pytest.raises(InputError) as caught:
        WireOptions(**{option: value})
    assert option in str(caught.value)
    assert str(value) in str(caught.value)


def test_the_numbers_are_passed_on():
    wire = WireOptions(parallel=3, retries=7, timeout=11)
    assert wire.retry.retries == 7


# --- registries


def test_a_registry_has_one_client(start):
    side = sides.make_side()
    registry = start()
    assert side.client(registry.host) is side.client(registry.host)
    assert side.client(registry.host) is not side.client("other.example")
    side.close()


def test_only_what_registries_conf_calls_insecure_may_be_plain(start):
    registry = start()
    registry.put_blob("a", b"x")
    insecure = RegistriesConf((Rule("q.example", Endpoint(registry.host, insecure=True)),))
    side = sides.make_side(conf=insecure, tls=TlsSettings())
    ((client, reference),) = side.candidates(Reference("q.example", "a", "1"))
    assert client.head_manifest(reference.repository, "1") is None
    with pytest.raises(Exception, match="does not speak TLS"):
        side.client(registry.host).head_manifest("a", "1")
    side.close()


def test_a_blocked_registry_has_no_candidates():
    side = sides.make_side(conf=RegistriesConf((Rule("q.example", Endpoint("q.example"), blocked=True),), "/etc/x.conf"))
    with pytest.raises(FileError, match=r"/etc/x\.conf blocks 'q.example'"):
        side.candidates(Reference("q.example", "a", "1"))
    side.close()
