# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution API call by call, against registries of every kind, and against servers that are none."""

from __future__ import annotations

import json
import threading

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, ProtocolError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import read_limited
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import (
    AccessError,
    NotFoundError,
    RegistryError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, User
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.support.images import (
    artifact,
    blob,
    index,
    multi_arch,
    sha256,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, closed_port, raw_server, reply
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS, make_client

KINDS = {
    "open": {"quirks": "distribution"},
    "basic": {"auth": "basic", "users": BOTS},
    "docker token": {"auth": "token", "users": BOTS, "quirks": "distribution"},
    "quay": {"auth": "token", "users": BOTS},
}
IMAGE = simple_image("app")
MISSING = sha256(b"nobody has this")


@pytest.fixture(params=KINDS)
def registry(request, start):
    """A registry of each kind, with one image in it."""
    running = start(**KINDS[request.param])
    running.load("team/app", "v1", IMAGE)
    return running


@pytest.fixture
def client(registry):
    return make_client(registry, None if registry.options.auth == "none" else BOT)


def scripted(answer):
    """A server that answers /v2/ as a registry does, and everything else as told."""

    def respond(request: HttpRequest) -> HttpResponse:
        return reply(200, "{}", Content_Type="application/json") if request.path == "/v2/" else answer(request)

    return ScriptedServer(respond)


def manifest_of(image):
    return Manifest.parse(image.body, image.media_type, "a test")


# --- manifests


def test_a_manifest_is_looked_up_by_tag_and_by_digest(client, registry):
    assert client.head_manifest("team/app", "v1") == IMAGE.digest
    assert client.head_manifest("team/app", IMAGE.digest) == IMAGE.digest
    assert registry.count(method="GET", path="/manifests/") == 0


@pytest.mark.parametrize(("repository", "identifier"), [("team/app", "v2"), ("team/app", MISSING), ("team/other", "v1")])
def test_a_manifest_that_is_not_there_is_none(client, repository, identifier):
    assert client.head_manifest(repository, identifier) is None
    with pytest.raises(NotFoundError):
        client.get_manifest(repository, identifier)


@pytest.mark.parametrize("identifier", ["v1", IMAGE.digest])
def test_a_manifest_is_read(client, identifier):
    manifest = client.get_manifest("team/app", identifier)
    assert (manifest.digest, manifest.media_type, manifest.content) == (IMAGE.digest, IMAGE.media_type, IMAGE.body)


@pytest.mark.parametrize("fmt", ["oci", "docker"])
def test_every_kind_of_manifest_is_accepted(client, registry, fmt):
    for image in (simple_image("one", fmt=fmt), multi_arch("many", fmt=fmt)):
        registry.load("team/app", "other", image)
        assert client.get_manifest("team/app", "other").content == image.body
        assert client.head_manifest("team/app", "other") == image.digest


def test_a_manifest_is_stored_under_a_tag_and_under_its_digest(client, registry):
    child = simple_image("child")
    registry.load("team/app", None, child)
    parent = index([child])
    client.put_manifest("team/app", parent.digest, manifest_of(parent))
    client.put_manifest("team/app", "v2", manifest_of(child))
    assert registry.tags("team/app") == {"v1": IMAGE.digest, "v2": child.digest}
    assert parent.digest in registry.manifests("team/app")


def test_a_manifest_whose_blobs_are_missing_is_refused_with_their_digests(client):
    image = simple_image("unknown")
    with pytest.raises(RegistryError) as caught:
        client.put_manifest("team/app", "v2", manifest_of(image))
    assert caught.value.code == "MANIFEST_BLOB_UNKNOWN"
    assert set(caught.value.digests) == set(image.all_blobs())


def test_a_registry_says_that_it_takes_note_of_a_subject(client, registry):
    signature = artifact("application/example", b"signed", subject=IMAGE)
    registry.load("team/app", None, signature)
    # Quay takes note of it without saying so
    noted = None if registry.options.quay else IMAGE.digest
    assert client.put_manifest("team/app", signature.digest, manifest_of(signature)) == noted
    assert client.put_manifest("team/app", "v1", manifest_of(IMAGE)) is None


def test_a_manifest_is_deleted_once(client):
    assert client.delete_manifest("team/app", IMAGE.digest)
    assert not client.delete_manifest("team/app", IMAGE.digest)
    assert client.head_manifest("team/app", "v1") is None


def test_a_registry_that_deletes_nothing_says_so(start):
    registry = start(delete=False)
    registry.load("team/app", "v1", IMAGE)
    with pytest.raises(RegistryError) as caught:
        make_client(registry).delete_manifest("team/app", IMAGE.digest)
    assert caught.value.status == 405


def test_without_a_digest_header_the_manifest_itself_is_looked_at(start):
    registry = start(digest_header=False)
    registry.load("team/app", "v1", IMAGE)
    assert make_client(registry).head_manifest("team/app", "v1") == IMAGE.digest


def test_a_manifest_without_a_digest_header_gets_the_digest_of_its_bytes():
    with scripted(lambda request: reply(200, IMAGE.body, Content_Type=IMAGE.media_type)) as server:
        assert make_client(server).get_manifest("team/app", "v1").digest == IMAGE.digest


@pytest.mark.parametrize("identifier", ["v1", IMAGE.digest])
@pytest.mark.parametrize("kind", ["wrong_digest", "wrong_manifest"])
def test_a_manifest_that_is_not_what_its_digest_says_is_refused(start, identifier, kind):
    registry = start()
    registry.load("team/app", "v1", IMAGE)
    registry.faults.append(Fault("GET", "/manifests/", kind, times=None))
    with pytest.raises(ProtocolError):
        make_client(registry).get_manifest("team/app", identifier)


def test_a_registry_that_looks_up_another_digest_than_asked_is_not_believed():
    answer = reply(200, IMAGE.body, Docker_Content_Digest=MISSING)
    with scripted(lambda request: answer) as server, pytest.raises(ProtocolError, match=MISSING):
        make_client(server).head_manifest("team/app", IMAGE.digest)


@pytest.mark.parametrize("digest", ["md5:abc", "nonsense", "sha256:", ":", "sha256:zz"])
@pytest.mark.parametrize("call", ["head_manifest", "get_manifest"])
def test_a_digest_that_is_none_is_not_believed(digest, call):
    with scripted(lambda request: reply(200, IMAGE.body, Docker_Content_Digest=digest)) as server, pytest.raises(ProtocolError):
        getattr(make_client(server), call)("team/app", "v1")


def test_a_registry_that_stored_something_else_is_found_out():
    def answer(_request: HttpRequest) -> HttpResponse:
        return reply(201, Docker_Content_Digest=MISSING)

    with scripted(answer) as server, pytest.raises(ProtocolError, match="instead of"):
        make_client(server).put_manifest("team/app", "v1", manifest_of(IMAGE))


@pytest.mark.parametrize("kind", ["manifest", "large", "small"])
def test_a_page_of_a_proxy_is_no_word_that_something_was_stored(start, kind):
    registry = start()
    registry.load("team/app", "v1", IMAGE)
    registry.faults.append(Fault("PUT", "", "garbage", times=None))
    client = make_client(registry)
    store = {
        "manifest": lambda: client.put_manifest("team/app", "v2", manifest_of(IMAGE)),
        "small": lambda: client.upload_bytes("team/app", sha256(b"x"), b"x"),
        "large": lambda: client.finish_upload("team/app", client.begin_upload("team/app", sha256(b"x")), sha256(b"x"), b"x"),
    }
    with pytest.raises(RegistryError, match=r"answered 200 \(It works!\)"):
        store[kind]()


@pytest.mark.parametrize("body", [b"<html>It works!</html>", b"", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 100000])
def test_garbage_for_a_manifest_is_a_sentence(body):
    with scripted(lambda request: reply(200, body, Content_Type="text/html")) as server:
        with pytest.raises(ProtocolError) as caught:
            make_client(server).get_manifest("team/app", "v1")
        assert f"{server.host}/team/app:v1" in str(caught.value)


def test_the_words_of_the_registry_are_told(client, registry):
    registry.faults.append(Fault("HEAD", "/manifests/", "status", status=400, times=None))
    body = json.dumps({"errors": [{"code": "UNSUPPORTED", "message": "not on Sundays"}]})
    registry.faults.append(Fault("GET", "/manifests/", "status", status=400, body=body, content_type="application/json", times=None))
    with pytest.raises(RegistryError, match=r"the registry answered 400 UNSUPPORTED \(not on Sundays\)"):
        client.head_manifest("team/app", "v1")


# --- blobs


def test_a_blob_is_looked_up(client):
    (digest, content), *_rest = IMAGE.all_blobs().items()
    assert client.head_blob("team/app", digest) == content.size
    assert client.head_blob("team/app", MISSING) is None


def test_a_blob_is_read_from_the_beginning_or_from_a_byte_on(client):
    (digest, content), *_rest = IMAGE.all_blobs().items()
    response, begins = client.open_blob("team/app", digest)
    assert (read_limited(response, 100000, "it"), begins) == (content.data, 0)
    response, begins = client.open_blob("team/app", digest, 100)
    assert (read_limited(response, 100000, "it"), begins) == (content.data[100:], 100)


def test_a_registry_without_ranges_begins_at_the_beginning(start):
    registry = start(ranges=False)
    digest = registry.put_blob("r", b"content")
    response, begins = make_client(registry).open_blob("r", digest, 3)
    assert (read_limited(response, 100, "it"), begins) == (b"content", 0)


def test_a_blob_is_deleted_once(start):
    registry = start()
    digest = registry.put_blob("r", b"content")
    client = make_client(registry)
    assert client.delete_blob("r", digest)
    assert not client.delete_blob("r", digest)


def test_a_blob_is_mounted(client, registry):
    digest = next(iter(IMAGE.all_blobs()))
    assert client.mount_blob("team/other", digest, "team/app") is None
    assert digest in registry.repository_blobs("team/other")


def test_a_registry_that_does_not_mount_begins_an_upload(start):
    registry = start(mount=False)
    registry.load("team/app", "v1", IMAGE)
    upload = make_client(registry).mount_blob("team/other", next(iter(IMAGE.all_blobs())), "team/app")
    assert upload is not None
    make_client(registry).cancel_upload("team/other", upload)


def test_a_blob_that_is_nowhere_cannot_be_mounted(client, registry):
    upload = client.mount_blob("team/other", MISSING, "team/app")
    assert upload is not None
    assert MISSING not in registry.repository_blobs("team/other")


# --- uploads


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return create_certificates(tmp_path_factory.mktemp("certificates"))


def upload_in_every_way(client):
    """The same content in one request, in chunks, and as small content is sent."""
    whole, chunked, small = (blob(way, 1000) for way in ("whole", "chunked", "small"))
    upload = client.begin_upload("team/app", sha256(whole))
    client.finish_upload("team/app", upload, sha256(whole), whole)
    upload = client.begin_upload("team/app", sha256(chunked))
    upload = client.send_chunk("team/app", upload, sha256(chunked), chunked[:600], 0, 600)
    upload = client.send_chunk("team/app", upload, sha256(chunked), chunked[600:], 600, 400)
    client.finish_upload("team/app", upload, sha256(chunked))
    client.upload_bytes("team/app", sha256(small), small)
    return {sha256(content): content for content in (whole, chunked, small)}


def test_content_is_uploaded_in_one_request_in_chunks_and_with_the_post(client, registry):
    sent = upload_in_every_way(client)
    assert {digest: registry.blobs.get(digest) for digest in sent} == sent
    assert registry.verify() == []


@pytest.mark.parametrize("location", ["relative", "absolute"])
@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_uploads_go_where_the_registry_says(start, location, quirks):
    registry = start(upload_location=location, quirks=quirks)
    sent = upload_in_every_way(make_client(registry))
    assert {digest: registry.blobs.get(digest) for digest in sent} == sent


@pytest.mark.parametrize("location", ["relative", "absolute", "wrong_scheme"])
def test_over_TLS_uploads_stay_in_TLS(start, certificates, location):
    """A registry behind a proxy that ends TLS may believe that it is called by plain HTTP."""
    registry = start(upload_location=location, tls=certificates, auth="token", users=BOTS)
    client = make_client(registry, BOT, tls=TlsSettings(ca_path=str(certificates.ca)))
    sent = upload_in_every_way(client)
    assert {digest: registry.blobs.get(digest) for digest in sent} == sent


def test_an_upload_elsewhere_goes_without_credentials():
    with ScriptedServer([reply(201)]) as storage:

        def answer(request: HttpRequest) -> HttpResponse:
            if request.headers.get("authorization") is None:
                return reply(401, "{}", WWW_Authenticate='Basic realm="r"')
            return reply(202, Location=f"{storage.url}/upload?signature=s")

        with ScriptedServer(answer) as server:
            client = make_client(server, BOT)
            client.finish_upload("team/app", client.begin_upload("team/app", MISSING), MISSING, b"x")
            assert server.calls[-1].headers["authorization"] == BOT.basic()
        (call,) = storage.calls
        assert "authorization" not in call.headers
        assert call.query == f"signature=s&digest={MISSING.replace(':', '%3A')}"


@pytest.mark.parametrize("challenge", ['Basic realm="give me"', 'Bearer realm="{url}/token",service="s"'])
def test_another_server_cannot_ask_for_credentials(challenge):
    """Where a blob is redirected to, or an upload sent, a 401 is just a refusal: its challenge is not for us."""
    with ScriptedServer(lambda request: reply(401, WWW_Authenticate=challenge.replace("{url}", storage.url))) as storage:

        def answer(request: HttpRequest) -> HttpResponse:
            return reply(202 if request.method == "POST" else 307, Location=f"{storage.url}/there")

        with scripted(answer) as server:
            client = make_client(server, BOT)
            with pytest.raises(AccessError):
                client.open_blob("team/app", MISSING)
            upload = client.begin_upload("team/app", MISSING)
            with pytest.raises(AccessError):
                client.finish_upload("team/app", upload, MISSING, b"x")
            with pytest.raises(AccessError):
                client.open_blob("team/app", MISSING)
        assert all("authorization" not in call.headers for call in [*storage.calls, *server.calls])
        assert all(call.path != "/token" for call in storage.calls)


def test_how_much_arrived_can_be_asked_for(start):
    registry = start(quirks="quay")
    client = make_client(registry)
    upload = client.begin_upload("r", MISSING)
    assert client.uploaded("r", upload)[0] == 0
    upload = client.send_chunk("r", upload, MISSING, b"x" * 500, 0, 500)
    received, upload = client.uploaded("r", upload)
    assert received == 500
    client.cancel_upload("r", upload)
    assert client.uploaded("r", upload) is None


def test_content_that_does_not_have_the_digest_is_refused(client, registry):
    upload = client.begin_upload("team/app", MISSING)
    with pytest.raises(RegistryError) as caught:
        client.finish_upload("team/app", upload, MISSING, b"something else")
    assert caught.value.code == "DIGEST_INVALID"
    assert MISSING not in registry.blobs


def test_a_registry_that_claims_a_blob_before_it_was_sent_is_not_believed():
    with scripted(lambda request: reply(201)) as server, pytest.raises(ProtocolError, match="before it was sent"):
        make_client(server).begin_upload("r", MISSING)


@pytest.mark.parametrize("location", ["http://[broken", "http://a.example:99999999/", "http://a.example:port/"])
def test_an_upload_to_nowhere_is_a_sentence(location):
    with scripted(lambda request: reply(202, Location=location)) as server, pytest.raises(ProtocolError):
        make_client(server).begin_upload("r", MISSING)


# --- lists


@pytest.mark.parametrize("page_size", [1, 3, 100])
def test_all_pages_of_tags_and_repositories_are_read(start, page_size):
    for kind in KINDS.values():
        registry = start(**kind, page_size=page_size)
        client = make_client(registry, None if registry.options.auth == "none" else BOT)
        tags = {f"v{number}" for number in range(7)}
        for tag in tags:
            registry.load("team/app", tag, IMAGE)
        registry.load("team/other", "v1", IMAGE)
        assert {tag for page in client.tags("team/app") for tag in page} == tags
        assert sorted(name for page in client.catalog() for name in page) == ["team/app", "team/other"]


def test_pages_are_read_as_they_are_wanted(start):
    registry = start(page_size=1)
    for number in range(5):
        registry.load("team/app", f"v{number}", IMAGE)
    pages = make_client(registry).tags("team/app")
    assert next(pages) == ["v0"]
    assert registry.count(path="/tags/") == 1


def test_tags_of_a_repository_that_is_not_there(client):
    with pytest.raises(NotFoundError):
        list(client.tags("team/other"))


def test_a_registry_without_a_catalog_says_so(start):
    with pytest.raises(NotFoundError):
        list(make_client(start(catalog=False)).catalog())


def pages(*links, key="tags"):
    """A server whose pages are linked so; every page has one entry."""
    given = list(links)

    def answer(_request: HttpRequest) -> HttpResponse:
        link = given.pop(0) if given else ""
        return reply(200, json.dumps({key: ["v1"]}), Content_Type="application/json", **({"Link": link} if link else {}))

    return scripted(answer)


def test_a_next_page_that_repeats_ends_the_list():
    link = '</v2/team/app/tags/list?n=1000>; rel="next"'
    with pages(*[link] * 50) as server:
        assert list(make_client(server).tags("team/app")) == [["v1"]]


def test_pages_that_go_round_in_a_circle_end():
    links = [f'</v2/team/app/tags/list?n=1000&last={name}>; rel="next"' for name in "abab"]
    with pages(*links) as server:
        assert len(list(make_client(server).tags("team/app"))) == 3


@pytest.mark.parametrize(
    "link",
    [
        "<{path}>; rel=next",
        '<{path}>;rel="next"',
        '<{path}>; title="x"; rel="next"',
        '<{path}>; rel="next"; title="x"',
        "<http://other.example{path}>; rel=next",
        '<https://other.example:8443{path}>; rel="next"',
        '</first>; rel="first", <{path}>; rel="next"',
        '<{path},with,commas>; REL = "next" ; title="a, b"',
    ],
)
def test_links_come_in_many_spellings(link):
    path = "/v2/team/app/tags/list?last=v1&n=1"
    with pages(link.replace("{path}", path)) as server:
        assert len(list(make_client(server).tags("team/app"))) == 2
        assert f"{server.calls[-1].path}?{server.calls[-1].query}".startswith(path)


@pytest.mark.parametrize("link", ["", "nonsense", "</x>", '</x>; rel="prev"', "<>", '</x>; rel="nextish"', ",,;;"])
def test_what_is_no_link_to_a_next_page_ends_the_list(link):
    with pages(link) as server:
        assert len(list(make_client(server).tags("team/app"))) == 1


def test_a_link_to_nowhere_is_a_sentence():
    with pages('<http://[broken>; rel="next"') as server, pytest.raises(ProtocolError, match="broken"):
        list(make_client(server).tags("team/app"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "null",
        "1",
        "[" * 100000,
        '"tags"',
        '{"tags": 1}',
        '{"tags": [1]}',
        '{"tags": {"a": 1}}',
        '{"tags": "abc"}',
        "<html>",
    ],
)
def test_a_list_that_is_none_is_a_sentence(body):
    with scripted(lambda request: reply(200, body)) as server, pytest.raises(ProtocolError, match="no list of tags"):
        list(make_client(server).tags("team/app"))


def test_no_tags_at_all_may_be_written_as_null():
    """As docker-registry does after the last tag of a repository was deleted."""
    with scripted(lambda request: reply(200, '{"name": "team/app", "tags": null}')) as server:
        assert list(make_client(server).tags("team/app")) == [[]]


@pytest.mark.parametrize("name", ["../../v2/_catalog", "a b", "a?b=c", "", "a/b", "-a", "a\n", "a" * 129])
def test_a_tag_that_cannot_be_one_is_left_out(name):
    """Names become parts of URLs, with our credentials: those of one registry must not lead astray in another."""
    with scripted(lambda request: reply(200, json.dumps({"tags": ["v1", name]}))) as server:
        assert list(make_client(server).tags("team/app")) == [["v1"]]


@pytest.mark.parametrize("name", ["../etc", "a//b", "a?b", "", "/a", "a/", "\u00dcber", "a b", "a" * 256])
def test_a_repository_that_cannot_be_one_is_left_out(name):
    with scripted(lambda request: reply(200, json.dumps({"repositories": ["app", name]}))) as server:
        assert list(make_client(server).catalog()) == [["app"]]


# --- referrers


def test_referrers_are_listed(client, registry):
    signature = artifact("application/example", b"signed", subject=IMAGE)
    registry.load("team/app", None, signature)
    (found,) = client.referrers("team/app", IMAGE.digest)
    assert found.digest == signature.digest
    assert client.referrers("team/app", MISSING) == []
    assert client.referrers_api is True


def test_a_registry_without_the_api_is_asked_once(start):
    registry = start(referrers=False)
    registry.load("team/app", "v1", IMAGE)
    client = make_client(registry)
    assert client.referrers("team/app", IMAGE.digest) is None
    assert client.referrers("team/app", MISSING) is None
    assert registry.count(path="/referrers/") == 1
    assert client.referrers_api is False


@pytest.mark.parametrize("answer", [reply(200, "<html>", Content_Type="text/html"), reply(405), reply(400), reply(404, "page not found")])
def test_whatever_is_no_index_means_no_api(answer):
    with scripted(lambda request: answer) as server:
        assert make_client(server).referrers("team/app", IMAGE.digest) is None


def test_a_refusal_is_no_answer_about_the_api():
    with scripted(lambda request: reply(403)) as server:
        client = make_client(server)
        with pytest.raises(AccessError):
            client.referrers("team/app", IMAGE.digest)
        assert client.referrers_api is None


def test_all_pages_of_referrers_are_read():
    """Distribution spec 1.1, "Listing Referrers": the list may come in pages, as that of tags."""
    signatures = [artifact("application/example", f"{number}".encode(), subject=IMAGE) for number in range(3)]

    def answer(request: HttpRequest) -> HttpResponse:
        number = int(request.first("page") or 0)
        link = {"Link": f'<{request.path}?page={number + 1}>; rel="next"'} if number < 2 else {}
        listed = index([signatures[number]])
        return reply(200, listed.body, Content_Type=listed.media_type, **link)

    with scripted(answer) as server:
        found = make_client(server).referrers("team/app", IMAGE.digest)
    assert [descriptor.digest for descriptor in found] == [signature.digest for signature in signatures]


# --- the first contact


def test_plain_http_is_only_tried_without_checking_certificates(start):
    registry = start()
    assert make_client(registry).connect() == registry.url
    with pytest.raises(TransportError) as caught:
        make_client(registry, tls=TlsSettings()).connect()
    assert caught.value.kind == "tls"
    assert "validate_certs" in caught.value.hint
    assert registry.count(path="/v2/") == 1


def test_https_is_preferred(start, certificates):
    registry = start(tls=certificates)
    assert make_client(registry).connect() == registry.url


def test_a_registry_that_is_not_there_is_told_by_its_first_failure():
    class Nobody:
        host = f"127.0.0.1:{closed_port()}"

    with pytest.raises(TransportError) as caught:
        make_client(Nobody()).connect()
    assert caught.value.kind == "refused"


def test_what_goes_wrong_with_plain_http_is_told_as_such():
    """The first guess, TLS, failed as well: that must not be taken for the reason."""
    greetings = []

    def talk(connection):
        greetings.append(connection.recv(1))
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" if greetings[-1] == b"\x16" else b"")

    with raw_server(talk) as port:

        class Odd:
            host = f"127.0.0.1:{port}"

        with pytest.raises(TransportError) as caught:
            make_client(Odd()).connect()
    assert caught.value.kind == "reset"


def test_many_threads_make_one_first_contact(registry, client):
    threads = [threading.Thread(target=client.head_manifest, args=("team/app", "v1")) for _ignored in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.count(path="^/v2/$") == 1
    assert registry.count(path="/manifests/") in range(8, 17)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(200, "<html>It works!</html>", Content_Type="text/html"), "as a web page does"),
        (reply(404, "not found"), "404"),
        (reply(301, Location="/login"), "301"),
        (reply(401, "who are you?"), "without naming a way"),
        (reply(401, WWW_Authenticate="Negotiate"), "without naming a way"),
        (reply(501), "501"),
    ],
)
def test_a_server_that_is_no_registry_is_recognised(answer, words):
    with ScriptedServer([answer]) as server, pytest.raises(AirgapError) as caught:
        make_client(server).connect()
    assert words in str(caught.value)
    assert server.host in str(caught.value)


@pytest.mark.parametrize("answer", [reply(200, "{}", Content_Type="application/json"), reply(200), reply(403)])
def test_a_registry_may_be_terse(answer):
    with ScriptedServer([answer]) as server:
        assert make_client(server).connect() == server.url


def test_an_open_Quay_is_a_registry_too(start):
    """It answers /v2/ with the word true as HTML, but it names the API in a header."""
    registry = start(quirks="quay")
    assert make_client(registry).connect() == registry.url


# --- who is let in


@pytest.mark.parametrize("kind", ["basic", "docker token", "quay"])
def test_wrong_credentials_are_told_as_such(start, kind):
    registry = start(**KINDS[kind])
    registry.load("team/app", "v1", IMAGE)
    with pytest.raises(AccessError) as caught:
        make_client(registry, Credentials("bot", "wrong")).head_manifest("team/app", "v1")
    assert "Check the credentials of 'bot'" in caught.value.hint
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("kind", ["basic", "docker token", "quay"])
def test_missing_credentials_are_told_as_such(start, kind):
    registry = start(**KINDS[kind])
    registry.load("team/app", "v1", IMAGE)
    with pytest.raises(AccessError) as caught:
        make_client(registry).head_manifest("team/app", "v1")
    assert f"No credentials were found for {registry.host}" in caught.value.hint


@pytest.mark.parametrize("kind", ["docker token", "quay"])
def test_rights_that_are_missing_are_told_as_such(start, kind):
    registry = start(**dict(KINDS[kind], users={"bot": User("secret", {"*": "pull"})}))
    registry.load("team/app", "v1", IMAGE)
    client = make_client(registry, BOT)
    assert client.head_manifest("team/app", "v1") == IMAGE.digest
    with pytest.raises(AccessError):
        client.put_manifest("team/app", "v2", manifest_of(IMAGE))


@pytest.mark.parametrize("kind", ["basic", "docker token", "quay"])
def test_everybody_may_read_what_is_public(start, kind):
    registry = start(**KINDS[kind], anonymous=("team/*",))
    registry.load("team/app", "v1", IMAGE)
    assert make_client(registry, access=Access.READ).get_manifest("team/app", "v1").digest == IMAGE.digest


@pytest.mark.parametrize("kind", ["basic", "docker token", "quay"])
def test_a_login_is_checked(start, kind):
    registry = start(**KINDS[kind])
    make_client(registry, BOT).check_login(required=True)
    make_client(registry).check_login(required=False)
    with pytest.raises(AccessError):
        make_client(registry, Credentials("bot", "wrong")).check_login(required=False)
    with pytest.raises(AccessError):
        make_client(registry).check_login(required=True)


def test_no_password_is_in_any_error(start):
    registry = start(auth="token", users=BOTS)
    secret = Credentials("bot", "s3cr3t-word")
    for call in (
        lambda client: client.head_manifest("team/app", "v1"),
        lambda client: client.put_manifest("team/app", "v1", manifest_of(IMAGE)),
        lambda client: list(client.tags("team/app")),
        lambda client: client.begin_upload("team/app", MISSING),
    ):
        with pytest.raises(AirgapError) as caught:
            call(make_client(registry, secret))
        assert "s3cr3t" not in str(caught.value)
        assert "s3cr3t" not in repr(caught.value)
    assert "s3cr3t" not in repr(secret)
