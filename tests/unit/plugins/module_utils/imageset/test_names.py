# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images come from and where they lie at the destination."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import (
    AdditionalImage,
    Channel,
    OperatorCatalog,
    Package,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import (
    BlockedImages,
    ImageKind,
    Naming,
    collisions,
    filter_id,
    parse_source,
    signature_tag,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, Reference, parse_location, parse_reference
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case

HEX = "ab" * 32
DIGEST = f"sha256:{HEX}"
LAB = Naming(Location("mirror.lab", "team"))


def place(image):
    return str(image.destination)


class TestSources:
    @pytest.mark.parametrize(
        ("text", "reference", "path", "name"),
        [
            ("quay.io/a/b:1", "quay.io/a/b:1", "a/b", "quay.io/a/b"),
            (f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{DIGEST}", "a/b", "quay.io/a/b"),
            (f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b:1@{DIGEST}", "a/b", "quay.io/a/b"),
            ("docker://quay.io/a/b:1", "quay.io/a/b:1", "a/b", "quay.io/a/b"),
            (f"host:5000/a/b@{DIGEST}", f"host:5000/a/b@{DIGEST}", "a/b", "host:5000/a/b"),
            ("host:5000/b:1", "host:5000/b:1", "b", "host:5000/b"),
            ("app.io/app:app", "app.io/app:app", "app", "app.io/app"),
            ("busybox:1", "docker.io/library/busybox:1", "busybox", "busybox"),
            ("oci:5000/app:1", "oci:5000/app:1", "app", "oci:5000/app"),
            ("team/app:1", "docker.io/team/app:1", "team/app", "team/app"),
            ("docker.io/busybox:1", "docker.io/library/busybox:1", "busybox", "docker.io/busybox"),
        ],
    )
    def test_a_source_in_a_registry(self, text, reference, path, name):
        source = parse_source(text)
        assert source.transport == "docker"
        assert source.reference == parse_reference(reference)
        assert (source.path, source.name) == (path, name)

    def test_what_is_pulled_is_the_digest_where_there_is_one(self):
        assert parse_source(f"quay.io/a/b:1@{DIGEST}").pull == Reference("quay.io", "a/b", None, DIGEST)
        assert parse_source(f"quay.io/a/b:1@{DIGEST}").url == f"docker://quay.io/a/b@{DIGEST}"
        assert parse_source("quay.io/a/b:1").pull == Reference("quay.io", "a/b", "1")
        assert parse_source("quay.io/a/b:1").url == "docker://quay.io/a/b:1"

    @pytest.mark.parametrize(
        ("text", "path", "digest"),
        [
            ("oci:///data/image", "/data/image", None),
            ("oci://data/image/", "data/image", None),
            (f"oci:///data/image@{DIGEST}", "/data/image", DIGEST),
            ("oci:///data/me@home", "/data/me@home", None),
            ("oci:///data/a:b", "/data/a:b", None),
        ],
    )
    def test_a_source_on_disk(self, text, path, digest):
        source = parse_source(text)
        assert (source.transport, source.path, source.digest, source.tag, source.reference) == ("oci", path, digest, None, None)
        assert source.url == text
        assert source.name == path
        with pytest.raises(InputError, match="on disk"):
            str(source.pull)

    @pytest.mark.parametrize(
        "text", ["", "quay.io/a/b", "quay.io/a/b:", "quay.io/a/b@", "oci://", "oci:///", "oci:/a", "dir:///a", "quay.io/A:1"]
    )
    def test_what_is_no_source(self, text):
        with pytest.raises(InputError):
            parse_source(text)


class TestPlaces:
    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            (AdditionalImage("quay.io/a/b:1"), "a/b:1"),
            (AdditionalImage(f"quay.io/a/b@{DIGEST}"), f"a/b:sha256-{HEX}"),
            (AdditionalImage(f"quay.io/a/b:1@{DIGEST}"), "a/b:1"),
            (AdditionalImage(f"host:5000/a/b@{DIGEST}"), f"a/b:sha256-{HEX}"),
            (AdditionalImage(f"quay.io/a/b@{DIGEST}", target_tag="t"), "a/b:t"),
            (AdditionalImage("quay.io/a/b:1", target_repo="c"), "c:1"),
            (AdditionalImage("quay.io/a/b:1", target_repo="c/d", target_tag="t"), "c/d:t"),
            (AdditionalImage("busybox:1"), "busybox:1"),
            (AdditionalImage("team/app:1"), "team/app:1"),
            (AdditionalImage("oci:///data/image"), "data/image:latest"),
            (AdditionalImage("oci:///data/image", target_repo="c", target_tag="t"), "c:t"),
        ],
    )
    def test_additional_images(self, image, expected):
        assert place(LAB.additional(image)) == f"mirror.lab/team/{expected}"
        assert LAB.additional(image).origin == image.name

    @pytest.mark.parametrize(
        ("catalog", "expected"),
        [
            (OperatorCatalog(catalog="quay.io/ops/index:v1"), "ops/index:v1"),
            (OperatorCatalog(catalog="quay.io/ops/index:v1", target_tag="t"), "ops/index:t"),
            (OperatorCatalog(catalog="quay.io/ops/index:v1", target_catalog="my/own"), "my/own:v1"),
            (OperatorCatalog(catalog=f"quay.io/ops/index:v1@{DIGEST}"), "ops/index:v1"),
            (OperatorCatalog(catalog=f"quay.io/ops/index@{DIGEST}"), "ops/index:sha256-" + "cd" * 32),
            (OperatorCatalog(catalog=f"quay.io/ops/index@{DIGEST}", target_tag="t"), "ops/index:t"),
            (OperatorCatalog(catalog="oci:///data/catalogs/index"), "index:latest"),
            (OperatorCatalog(catalog="oci:///data/catalogs/index", target_catalog="my/own", target_tag="t"), "my/own:t"),
        ],
    )
    def test_catalogs(self, catalog, expected):
        assert place(LAB.catalog(catalog, "sha256:" + "cd" * 32)) == f"mirror.lab/team/{expected}"

    def test_a_full_catalog_keeps_its_own_digest(self):
        assert place(LAB.catalog(OperatorCatalog(catalog=f"quay.io/ops/index@{DIGEST}"))) == f"mirror.lab/team/ops/index:sha256-{HEX}"

    def test_what_operators_and_charts_need(self):
        bundle = LAB.operator_image(f"quay.io/ops/bundle@{DIGEST}", bundle=True)
        assert (bundle.kind, place(bundle)) == (ImageKind.BUNDLE, f"mirror.lab/team/ops/bundle:sha256-{HEX}")
        assert bundle.origin == f"docker://quay.io/ops/bundle@{DIGEST}"
        assert LAB.operator_image("quay.io/ops/tool:v9").kind == ImageKind.RELATED
        assert place(LAB.helm_image("quay.io/charts/app:1")) == "mirror.lab/team/charts/app:1"
        with pytest.raises(InputError, match="only name images in registries"):
            LAB.operator_image("oci:///a/b")

    def test_releases(self):
        payload = parse_source("quay.io/openshift-release-dev/ocp-release:4.16.3-x86_64")
        assert place(LAB.release(payload)) == "mirror.lab/team/openshift/release-images:4.16.3-x86_64"
        bare = parse_source(f"quay.io/openshift-release-dev/ocp-release@{DIGEST}")
        assert place(LAB.release(bare)) == f"mirror.lab/team/openshift/release-images:{HEX}"
        assert place(LAB.release(bare, "4.16.3-x86_64")) == "mirror.lab/team/openshift/release-images:4.16.3-x86_64"
        part = parse_source(f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@{DIGEST}")
        assert place(LAB.release_content(part, "4.16.3-x86_64", "etcd")) == "mirror.lab/team/openshift/release:4.16.3-x86_64-etcd"
        virtual = "mirror.lab/team/openshift/release:4.16.3-x86_64-kube-virt-container"
        assert place(LAB.kubevirt(part, "4.16.3-x86_64")) == virtual
        assert place(LAB.kubevirt(part, "4.16.3-x86_64", "amd64")) == f"{virtual}-x86_64"
        assert place(LAB.kubevirt(part, "4.16.3-x86_64", "s390x")) == f"{virtual}-s390x"
        assert str(LAB.graph()) == "mirror.lab/team/openshift/graph-image:latest"

    def test_signatures_lie_beside_their_image(self):
        assert signature_tag(DIGEST) == f"sha256-{HEX}.sig"

    def test_a_place_that_no_registry_can_have_is_refused(self):
        with pytest.raises(InputError, match="no repository"):
            LAB.additional(AdditionalImage("quay.io/" + "/".join(["a" * 50] * 5) + ":1"))
        with pytest.raises(InputError, match="no tag"):
            LAB.release_content(parse_source("quay.io/a/b:1"), "4.16.3-x86_64", "x" * 128)

    def test_images_are_mirrored_before_what_refers_to_them(self):
        order = sorted(ImageKind, key=lambda kind: kind.order)
        assert order.index(ImageKind.RELATED) < order.index(ImageKind.BUNDLE) < order.index(ImageKind.CATALOG)
        assert order.index(ImageKind.RELEASE_CONTENT) < order.index(ImageKind.RELEASE)


class TestNestedPaths:
    @pytest.mark.parametrize(
        ("most", "expected"),
        [
            (0, "m/lab/ops/alpha-operator"),
            (1, "m-lab-ops-alpha-operator"),
            # as oc-mirror does it
            (2, "m/lab-ops-alpha-operator"),
            (3, "m/lab/ops-alpha-operator"),
            (4, "m/lab/ops/alpha-operator"),
            (9, "m/lab/ops/alpha-operator"),
        ],
    )
    def test_the_last_components_are_joined(self, most, expected):
        naming = Naming(Location("mirror.lab", "m"), most)
        assert place(naming.operator_image("quay.io/lab/ops/alpha-operator:1")) == f"mirror.lab/{expected}:1"

    def test_the_graph_and_the_releases_are_shortened_as_well(self):
        naming = Naming(Location("mirror.lab", "m"), 2)
        assert str(naming.graph()) == "mirror.lab/m/openshift-graph-image:latest"
        assert naming.releases() == "mirror.lab/m/openshift-release-images"

    @pytest.mark.parametrize("most", [0, 1, 2, 3, 4])
    @pytest.mark.parametrize("namespace", ["", "a", "a/b"])
    def test_what_was_placed_below_a_destination_is_known_to_lie_there(self, most, namespace):
        naming = Naming(Location("mirror.lab", namespace), most)
        assert naming.has(naming.operator_image("quay.io/x/y/z:1").destination)
        assert naming.has(naming.graph())
        assert not naming.has(Reference("other.lab", "a/b/x", "1"))
        if namespace:
            assert not naming.has(Reference("mirror.lab", "c/d/x", "1"))
            assert not naming.has(Reference("mirror.lab", namespace, "1"))
            assert not naming.has(Reference("mirror.lab", f"{namespace}z/x", "1"))


class TestCollisions:
    def test_the_registry_is_no_part_of_a_place(self):
        images = [LAB.operator_image(text) for text in ("quay.io/a/b:1", "docker.io/a/b:1", "quay.io/a/c:1", "quay.io/a/b:1")]
        assert collisions(images) == [(images[0], images[1])]

    def test_the_same_digest_is_the_same_image_wherever_it_comes_from(self):
        assert collisions([LAB.operator_image(f"quay.io/a/b@{DIGEST}"), LAB.operator_image(f"docker.io/a/b@{DIGEST}")]) == []

    def test_shortened_paths_may_meet(self):
        naming = Naming(Location("mirror.lab"), 1)
        assert len(collisions([naming.operator_image("quay.io/a/b-c:1"), naming.operator_image("quay.io/a-b/c:1")])) == 1


class TestBlockedImages:
    def test_a_pattern_fits_the_origin_or_the_place_without_scheme(self):
        image = LAB.operator_image("quay.io/ops/tool:v9")
        assert BlockedImages(["x", "ops/tool"]).pattern_for(image) == "ops/tool"
        assert BlockedImages(["^quay.io/ops"]).pattern_for(image) == "^quay.io/ops"
        assert BlockedImages(["^mirror.lab/team/ops"]).pattern_for(image) == "^mirror.lab/team/ops"
        assert BlockedImages(["docker://", "^tool"]).pattern_for(image) is None
        assert BlockedImages([]).pattern_for(image) is None

    def test_a_pattern_that_is_none_is_named(self):
        with pytest.raises(InputError, match=r"the blocked image 'a\(\?=b\)'"):
            BlockedImages(["a(?=b)"])


class TestFilters:
    """The names of filtered catalogs, which oc-mirror looks for in what we wrote."""

    CATALOG = "src.lab.example/lab/catalog:v4.99"

    @pytest.mark.parametrize("name", ["m2m-blocked", "m2m-ops-headsonly", "m2m-ops-multi-target", "err-broken-operator", "m2m-full"])
    def test_they_are_those_of_the_tool(self, name, tmp_path):
        recorded = case(name)
        (tmp_path / "isc.yaml").write_text(recorded.text("isc.yaml"))
        (catalog,) = load_image_set(tmp_path / "isc.yaml").operators
        (expected,) = recorded.filters
        assert filter_id(catalog, recorded.filters[expected]) == expected

    def test_neither_the_place_nor_the_way_to_name_the_catalog_matters(self):
        tagged = OperatorCatalog(catalog="quay.io/a/b:1", target_tag="x", target_catalog="y", template="z", lenient=True)
        assert filter_id(tagged, DIGEST) == filter_id(OperatorCatalog(catalog=f"quay.io/a/b@{DIGEST}"), DIGEST)

    def test_all_that_changes_the_content_matters(self):
        package = Package("p", (Channel("c", "1", "2"),), "c")
        catalogs = [
            OperatorCatalog(catalog="quay.io/a/b:1"),
            OperatorCatalog(catalog="quay.io/a/c:1"),
            OperatorCatalog(catalog="oci:///a/b"),
            OperatorCatalog(catalog="quay.io/a/b:1", full=True),
            OperatorCatalog(catalog="quay.io/a/b:1", dependencies=True),
            OperatorCatalog(catalog="quay.io/a/b:1", platforms=(Platform("linux", "amd64"),)),
            OperatorCatalog(catalog="quay.io/a/b:1", packages=(package,)),
            OperatorCatalog(catalog="quay.io/a/b:1", packages=(Package("p"),)),
            OperatorCatalog(catalog="quay.io/a/b:1", packages=(Package("p", versions=("1.0.0",)),)),
            OperatorCatalog(catalog="quay.io/a/b:1", packages=(Package("p<>&"),)),
        ]
        ids = [filter_id(catalog, DIGEST) for catalog in catalogs]
        assert len(set(ids)) == len(ids)
        assert filter_id(catalogs[0], "sha256:" + "cd" * 32) != ids[0]


# few, so that equal ones and such that could be taken for each other come often
paths = st.lists(st.sampled_from(["a", "b", "a-b", "b-a", "a.b", "a_b", "0"]), min_size=1, max_size=5).map("/".join)
tags = st.sampled_from(["1", "a", "a-b", "b-a", "sha256", "sha256-ab"])
digests = st.sampled_from([DIGEST, "sha256:" + "0f" * 32])
namings = st.builds(Naming, st.builds(Location, st.just("mirror.lab"), st.just("") | paths), st.integers(0, 6))


@settings(deadline=None)
@given(paths, tags | digests, paths, tags | digests)
def test_different_images_of_one_registry_never_meet(first_path, first, second_path, second):
    texts = [f"quay.io/{path}{'@' if ':' in name else ':'}{name}" for path, name in ((first_path, first), (second_path, second))]
    places = [LAB.operator_image(text).destination for text in texts]
    assert (places[0] == places[1]) is (texts[0] == texts[1])


@settings(deadline=None)
@given(namings, paths)
def test_shortening_a_path_again_changes_nothing(naming, path):
    short = naming.limited(path)
    assert naming.limited(short) == short
    assert naming.max_nested_paths == 0 or len(short.split("/")) <= naming.max_nested_paths


@settings(deadline=None)
@given(namings, paths, tags)
def test_every_place_lies_below_its_destination(naming, path, tag):
    destination = naming.operator_image(f"quay.io/{path}:{tag}").destination
    assert naming.has(destination)
    assert parse_location(str(naming.destination), "destination") == naming.destination


@settings(deadline=None)
@given(st.text(alphabet="ab/:@.oci-_1" + HEX[:2], max_size=30) | st.builds("{}@{}".format, paths, digests))
def test_any_text_is_a_source_or_is_refused_politely(text):
    with contextlib.suppress(InputError):
        source = parse_source(text)
        assert source.name
        assert parse_source(source.url) is not None
        LAB.additional(AdditionalImage(text))
