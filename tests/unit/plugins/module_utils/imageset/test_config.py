# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ImageSetConfigurations: what is read, what is refused and where, what is written back."""

from __future__ import annotations

import json
import textwrap

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import (
    image_set_yaml,
    load_image_set,
    pinned,
    remarks,
    to_delete,
    unsupported,
    write_pinned,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import DocumentError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import (
    AdditionalImage,
    Channel,
    HelmChart,
    HelmRepository,
    ImageSet,
    OperatorCatalog,
    Package,
    ReleaseChannel,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case, case_names, whole_recording

DIGEST = "sha256:" + "ab" * 32
DELETE = {"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "DeleteImageSetConfiguration"}
ENVELOPE = {"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "ImageSetConfiguration"}


def image_set(**mirror):
    """The image set of a task's mapping."""
    return load_image_set({**ENVELOPE, "mirror": mirror})


def faults(document):
    """What is wrong with a document: reasons by path."""
    with pytest.raises(DocumentError) as error:
        load_image_set(document)
    return {fault.path: fault.reason for fault in error.value.faults}


def mirror_faults(**mirror):
    return faults({**ENVELOPE, "mirror": mirror})


def catalog(**fields):
    return {"catalog": "quay.io/ops/index:v1", **fields}


def package_faults(*, full=False, **fields):
    """What is wrong with the only package of the only catalog, by paths inside of it."""
    found = mirror_faults(operators=[catalog(full=full, packages=[{"name": "etcd", **fields}])])
    prefix = "mirror.operators[0].packages[0]."
    assert all(path.startswith(prefix) for path in found)
    return {path[len(prefix) :]: reason for path, reason in found.items()}


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "isc.yaml"
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return path

    return write


class TestReading:
    def test_everything_that_a_file_may_say(self, file):
        found = load_image_set(
            file(
                f"""
                kind: ImageSetConfiguration
                apiVersion: mirror.openshift.io/v2alpha1
                archiveSize: 4
                mirror:
                  platform:
                    graph: true
                    channels:
                    - name: stable-4.16
                      minVersion: 4.16.1
                      maxVersion: 4.16.9
                      shortestPath: true
                    - {{name: 4-stable, type: okd, full: true}}
                    platforms:
                    - {{os: linux, architecture: arm64}}
                    kubeVirtContainer: true
                  operators:
                  - catalog: quay.io/ops/index:v1
                    targetCatalog: my/index
                    targetTag: t1
                    targetCatalogSourceTemplate: /data/template.yaml
                    platforms:
                    - {{os: linux, architecture: amd64}}
                    packages:
                    - name: etcd
                      defaultChannel: fast
                      channels:
                      - name: fast
                        minVersion: "1.10"
                      - name: slow
                    - name: exact
                      versions: [1.2.3, v2]
                    dependencies: true
                    catalogSourceName: my-operators
                    lenient: true
                  - catalog: oci:///data/catalog
                    full: true
                  additionalImages:
                  - name: quay.io/a/b@{DIGEST}
                    targetRepo: c/d
                    targetTag: e
                    platforms: [{{os: linux, architecture: s390x}}]
                  helm:
                    repositories:
                    - name: charts
                      url: https://charts.example.com/
                      charts:
                      - {{name: app, version: 1.0.0, imagePaths: ['{{.spec.image}}']}}
                    local:
                    - {{name: own, path: /data/own.tgz}}
                  blockedImages:
                  - name: '.*/debug'
                  samples:
                  - name: ruby
                """
            )
        )
        assert found.kind == "ImageSetConfiguration"
        assert found.archive_size == 4
        assert found.platform.graph
        assert found.platform.kube_virt_container
        assert found.platform.platforms == (Platform("linux", "arm64"),)
        assert found.platform.channels == (
            ReleaseChannel("stable-4.16", "ocp", "4.16.1", "4.16.9", True),
            ReleaseChannel("4-stable", "okd", full=True),
        )
        assert found.operators == (
            OperatorCatalog(
                catalog="quay.io/ops/index:v1",
                target_catalog="my/index",
                target_tag="t1",
                template="/data/template.yaml",
                platforms=(Platform("linux", "amd64"),),
                packages=(
                    Package("etcd", (Channel("fast", "1.10"), Channel("slow")), "fast"),
                    Package("exact", versions=("1.2.3", "v2")),
                ),
                dependencies=True,
                catalog_source_name="my-operators",
                lenient=True,
            ),
            OperatorCatalog(catalog="oci:///data/catalog", full=True),
        )
        assert found.additional_images == (AdditionalImage(f"quay.io/a/b@{DIGEST}", "c/d", "e", (Platform("linux", "s390x"),)),)
        assert found.helm.repositories == (
            HelmRepository("charts", "https://charts.example.com/", (HelmChart("app", "1.0.0", image_paths=("{.spec.image}",)),)),
        )
        assert found.helm.local == (HelmChart("own", path="/data/own.tgz"),)
        assert found.blocked_images == (".*/debug",)
        assert found.samples == ("ruby",)

    def test_what_was_read_is_written_and_read_again_as_it_was(self, tmp_path):
        first = image_set(
            operators=[catalog(packages=[{"name": "a", "versions": ["1.0.0"]}], platforms=[{"os": "linux", "architecture": "amd64"}])],
            additionalImages=[{"name": "quay.io/a/b:1"}],
            blockedImages=[{"name": "x$"}],
            platform={"channels": [{"name": "stable-4.16"}]},
        )
        (tmp_path / "again.yaml").write_bytes(image_set_yaml(first))
        assert load_image_set(tmp_path / "again.yaml") == first

    def test_nothing_after_the_colon_is_as_good_as_leaving_the_key_out(self, file):
        text = f"kind: {ENVELOPE['kind']}\napiVersion: {ENVELOPE['apiVersion']}\nmirror:\n  operators:\n  platform:\n"
        assert load_image_set(file(text)) == ImageSet()
        assert image_set(operators=[catalog(targetTag="", packages=None)]).operators == (OperatorCatalog(catalog="quay.io/ops/index:v1"),)

    def test_a_task_may_have_numbers_and_true_and_false_as_texts(self):
        document = {**ENVELOPE, "archiveSize": "5", "mirror": {"operators": [catalog(full="True", lenient="false")]}}
        found = load_image_set(document)
        assert (found.archive_size, found.operators[0].full, found.operators[0].lenient) == (5, True, False)

    def test_a_file_may_not(self, file):
        path = file(yaml.safe_dump({**ENVELOPE, "archiveSize": "5", "mirror": {"operators": [catalog(full="true")]}}))
        assert set(faults(path)) == {"archiveSize", "mirror.operators[0].full"}

    def test_what_looks_like_a_date_is_a_text(self, file):
        text = yaml.safe_dump(ENVELOPE) + "mirror:\n  operators:\n  - catalog: q.io/a/b:1\n    targetTag: 2026-11-20\n"
        assert load_image_set(file(text)).operators[0].target_tag == "2026-11-20"

    def test_aliases_and_merged_mappings_are_what_they_stand_for(self, file):
        path = file(
            f"""
            kind: {ENVELOPE["kind"]}
            apiVersion: {ENVELOPE["apiVersion"]}
            mirror:
              operators:
              - &base
                catalog: quay.io/ops/index:v1
                targetTag: one
              - <<: *base
                targetTag: two
            """
        )
        assert [entry.target_tag for entry in load_image_set(path).operators] == ["one", "two"]

    def test_a_missing_file_is_told_by_its_name(self, tmp_path):
        with pytest.raises(FileError, match=r"none\.yaml"):
            load_image_set(tmp_path / "none.yaml")

    def test_json_will_do(self, file):
        text = json.dumps({**ENVELOPE, "mirror": {"additionalImages": [{"name": "q.io/a:1"}]}}, indent=1)
        assert load_image_set(file(text)).additional_images == (AdditionalImage("q.io/a:1"),)


class TestRefusedDocuments:
    @pytest.mark.parametrize(
        ("text", "where", "why"),
        [
            ("", "the document", "it is empty"),
            ("# nothing\n", "the document", "it is empty"),
            ("a: [1\n", "line 2, column 1", "it is no YAML"),
            (b"a: \xff\n", "line 1", "no UTF-8"),
            ("a: 1\n---\nb: 1\n", "line 2, column 1", "expected a single document in the stream, but found another document"),
            ('a: "\\U00110000"\n', "the document", "a character that does not exist"),
            ("a: \x01\n", "the document", "it is no YAML"),
            ("- 1\n", "the document", "it must be a mapping, not a list"),
            ("[" * 1500, "the document", "nested deeper"),
            ("a: &a [*a]\n", "a[0][0]", "refers to itself"),
            (
                "a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c]\n"
                "e: &e [*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f]\n",
                "f[",
                "more than 20000 values by aliases",
            ),
            ("kind: a\nkind: b\n", "kind", "it is there twice, the second time in line 2"),
            ("mirror:\n  helm: {local: [], local: []}\n", "mirror.helm.local", "it is there twice"),
            ("? [a]\n: 1\n", "line 1", "a key must be a text"),
            ("a: !!python/name:os.system x\n", "a", "the tag tag:yaml.org,2002:python/name:os.system has no place here"),
            ("a: !!binary aGk=\n", "a", "has no place here"),
            ("a: !!bool maybe\n", "a", "has no place here"),
            ("a: !own {b: 1}\n", "a", "the tag !own has no place here"),
            ("<<: 1\n", "line 1", "only a mapping can be merged"),
        ],
    )
    def test_what_is_no_proper_yaml(self, file, text, where, why):
        with pytest.raises(DocumentError) as error:
            load_image_set(file(text))
        assert [fault.path for fault in error.value.faults if fault.path.startswith(where) and why in fault.reason]

    @pytest.mark.parametrize(
        ("change", "where", "why"),
        [
            ({"kind": None}, "kind", "it is missing"),
            ({"kind": "ImageSet"}, "kind", "'ImageSet' must be ImageSetConfiguration or DeleteImageSetConfiguration"),
            ({"kind": ["ImageSetConfiguration"]}, "kind", "must be"),
            ({"apiVersion": None}, "apiVersion", "it is missing: mirror.openshift.io/v2alpha1 is expected"),
            ({"apiVersion": "mirror.openshift.io/v1alpha2"}, "apiVersion", "oc-mirror v1"),
            ({"apiVersion": 2}, "apiVersion", "must be mirror.openshift.io/v2alpha1"),
            ({"mirror": []}, "mirror", "it must be a mapping, not a list"),
            ({"delete": {}}, "delete", "it has no place in ImageSetConfiguration"),
            ({"storageConfig": {}}, "storageConfig", "there is no such field; known here are apiVersion, archiveSize,"),
            ({5: 1}, "5", "there is no such field"),
            ({"archiveSize": -1}, "archiveSize", "out of range"),
            ({"archiveSize": 1 << 63}, "archiveSize", "out of range"),
            ({"archiveSize": 1.5}, "archiveSize", "a whole number, not the number 1.5"),
            ({"archiveSize": True}, "archiveSize", "a whole number, not true or false"),
            ({"archiveSize": []}, "archiveSize", "not a list"),
        ],
    )
    def test_a_wrong_envelope(self, change, where, why):
        found = faults({**ENVELOPE, "mirror": {}, **change})
        assert list(found) == [where]
        assert why in found[where]

    def test_a_document_without_its_section(self):
        assert faults(ENVELOPE) == {"mirror": "it is missing"}
        assert faults({"kind": "DeleteImageSetConfiguration", "apiVersion": ENVELOPE["apiVersion"], "mirror": {}}) == {
            "mirror": "it has no place in DeleteImageSetConfiguration",
            "delete": "it is missing",
        }

    def test_without_a_kind_the_section_tells_what_was_meant_and_all_of_it_is_checked(self):
        found = faults({"mirror": {"operators": [{"catalog": "x"}]}})
        assert set(found) == {"kind", "apiVersion", "mirror.operators[0].catalog"}
        assert set(faults({"spec": {}})) == {"kind", "mirror"}

    def test_a_kind_that_is_not_wanted_here(self):
        with pytest.raises(InputError, match="DeleteImageSetConfiguration is wanted here, not ImageSetConfiguration"):
            load_image_set({**ENVELOPE, "mirror": {}}, kind="DeleteImageSetConfiguration")

    def test_every_fault_is_told_at_once_with_its_path(self):
        document = {
            **ENVELOPE,
            "mirror": {
                "operators": [catalog(), catalog(targetTag="x", packages=[{"name": "a", "minVersion": "one"}, {"minversion": "1"}])],
                "additionalImages": [{"name": 5}, "quay.io/a/b:1"],
                "platform": {"graph": "yes please"},
            },
        }
        with pytest.raises(InputError) as error:
            load_image_set(document)
        text = str(error.value)
        assert "the image set configuration: it has 6 faults: " in text
        for part in (
            "mirror.platform.graph: it must be true or false, not a text",
            "mirror.operators[1].packages[0].minVersion: 'one' is no version",
            "mirror.operators[1].packages[1].minversion: there is no such field; it is written minVersion",
            "mirror.operators[1].packages[1].name: it is missing",
            "mirror.additionalImages[0].name: it must be a text, not the number 5",
            "mirror.additionalImages[1]: it must be a mapping, not a text",
        ):
            assert part in text

    def test_a_document_with_very_many_faults_stays_readable(self):
        with pytest.raises(DocumentError) as error:
            image_set(additionalImages=[{}] * 50)
        assert len(error.value.faults) == 50
        assert "(and 30 more)" in str(error.value)

    def test_a_version_that_yaml_takes_for_a_number_is_told_how_to_write_it(self):
        assert "put it in quotes" in package_faults(minVersion=4.1)["minVersion"]

    @pytest.mark.parametrize("text", ["a\nb", "a\x00b", "\ud800"])
    def test_texts_that_no_line_can_hold(self, text):
        assert "cannot be shown" in package_faults(defaultChannel=text)["defaultChannel"]


class TestRulesForOperators:
    @pytest.mark.parametrize(
        ("reference", "why"),
        [
            ("quay.io/ops/index", "neither tag nor digest (Write for example quay.io/ops/index:latest)"),
            ("quay.io/ops/index@sha256:12", "64 lower-case hexadecimal digits"),
            ("quay.io/Ops/index:v1", "upper-case letters"),
            ("https://quay.io/ops/index:v1", "the scheme 'https://'"),
            ("oci://", "a path is expected"),
            ("oci:/data", "a path is expected"),
            (f"oci:///data@{DIGEST}00", "64 lower-case"),
        ],
    )
    def test_a_catalog_that_is_no_reference(self, reference, why):
        assert why in mirror_faults(operators=[{"catalog": reference}])["mirror.operators[0].catalog"]

    def test_a_catalog_is_needed(self):
        assert mirror_faults(operators=[{}]) == {"mirror.operators[0].catalog": "it is missing"}
        assert mirror_faults(operators=[{"catalog": ""}]) == {"mirror.operators[0].catalog": "it is empty"}

    @pytest.mark.parametrize(
        ("field", "text"),
        [("targetCatalog", "a/b:v1"), ("targetCatalog", "A"), ("targetCatalog", "/a"), ("targetTag", "a b"), ("targetTag", "-a")],
    )
    def test_a_target_that_no_registry_takes(self, field, text):
        assert f"'{text}' is no" in mirror_faults(operators=[catalog(**{field: text})])[f"mirror.operators[0].{field}"]

    def test_the_same_catalog_twice(self):
        found = mirror_faults(operators=[catalog(), catalog(packages=[{"name": "a"}])])
        assert "mirror.operators[0] is the other one" in found["mirror.operators[1]"]
        assert len(found) == 1

    def test_the_same_catalog_twice_with_different_targets_is_fine(self):
        assert len(image_set(operators=[catalog(), catalog(targetTag="x"), catalog(targetCatalog="y")]).operators) == 3

    def test_two_catalogs_that_would_lie_in_the_same_place(self):
        found = mirror_faults(operators=[catalog(), {"catalog": "other.io/ops/index:v1"}])
        assert found == {
            "mirror.operators[1].catalog": "it would lie in the same place, ops/index:v1, as mirror.operators[0].catalog; "
            "give one of them another target"
        }

    def test_the_same_package_or_channel_twice(self):
        found = mirror_faults(operators=[catalog(packages=[{"name": "a"}, {"name": "a", "channels": [{"name": "c"}, {"name": "c"}]}])])
        assert set(found) == {"mirror.operators[0].packages[1].name", "mirror.operators[0].packages[1].channels[1].name"}

    @pytest.mark.parametrize("version", ["1", "v1.2", "1.2.3-rc.1+build", "0", "01.2"])
    def test_versions_that_are_good_enough(self, version):
        assert image_set(operators=[catalog(packages=[{"name": "a", "minVersion": version}])])

    @pytest.mark.parametrize("version", ["one", "1.2.3.4", "1.x", ">=1", "1..2", "V1", "1.2.3-01", "99999999999999999999"])
    def test_versions_that_are_none(self, version):
        assert "is no version" in package_faults(minVersion=version)["minVersion"]
        assert "is no version" in package_faults(channels=[{"name": "c", "maxVersion": version}])["channels[0].maxVersion"]
        assert "is no version" in package_faults(versions=[version])["versions[0]"]

    @pytest.mark.parametrize(("low", "high"), [("2", "1"), ("1.2.1", "1.2.0"), ("1.3", "1.2"), ("1.0.0", "1.0.0-rc.1")])
    def test_a_range_that_holds_nothing(self, low, high):
        assert "is above maxVersion" in package_faults(minVersion=low, maxVersion=high)["minVersion"]
        assert (
            "is above maxVersion"
            in package_faults(channels=[{"name": "c", "minVersion": low, "maxVersion": high}])["channels[0].minVersion"]
        )

    @pytest.mark.parametrize(("low", "high"), [("1.2", "1"), ("1.2.0", "1.2.0"), ("1.2.5", "1.2"), ("1.0.0-rc.1", "1.0.0")])
    def test_a_range_that_ends_in_less_than_three_numbers_holds_all_that_begin_so(self, low, high):
        assert image_set(operators=[catalog(packages=[{"name": "a", "minVersion": low, "maxVersion": high}])])

    def test_bounds_for_a_package_and_for_its_channels(self):
        found = package_faults(minVersion="1", channels=[{"name": "c", "maxVersion": "2"}, {"name": "d"}])
        assert list(found) == ["channels[0].maxVersion"]
        assert "for the package or for its channels" in found["channels[0].maxVersion"]

    def test_a_full_catalog_has_no_bounds_and_no_exact_versions(self):
        assert set(package_faults(full=True, maxVersion="1")) == {"maxVersion"}
        assert set(package_faults(full=True, channels=[{"name": "c", "minVersion": "1"}])) == {"channels[0].minVersion"}
        assert set(package_faults(full=True, versions=["1.0.0"])) == {"versions"}

    def test_exact_versions_stand_alone_and_once(self):
        assert set(package_faults(versions=["1.0.0"], minVersion="1")) == {"versions"}
        assert set(package_faults(versions=["1.0.0"], channels=[{"name": "c", "maxVersion": "1"}])) == {"versions"}
        assert set(package_faults(versions=["1.0.0", "v1.0.0"])) == {"versions[1]"}

    def test_a_default_channel_that_is_not_taken(self):
        found = package_faults(defaultChannel="slow", channels=[{"name": "fast"}])
        assert found == {"defaultChannel": "'slow' is none of the channels that are taken: fast"}

    def test_platforms_have_both_parts(self):
        found = mirror_faults(
            operators=[catalog(platforms=[{"os": "linux"}, {"os": "", "architecture": "amd64"}, {"os": "linux/amd64"}, 5])]
        )
        assert set(found) == {
            "mirror.operators[0].platforms[0].architecture",
            "mirror.operators[0].platforms[1].os",
            "mirror.operators[0].platforms[2].os",
            "mirror.operators[0].platforms[2].architecture",
            "mirror.operators[0].platforms[3]",
        }

    @pytest.mark.parametrize("name", ["Upper", "-a", "a-", "a.b", "a" * 64])
    def test_a_name_that_no_catalog_source_can_have(self, name):
        assert (
            "is no name for an object"
            in mirror_faults(operators=[catalog(catalogSourceName=name)])["mirror.operators[0].catalogSourceName"]
        )

    def test_two_catalog_sources_of_one_name(self):
        found = mirror_faults(operators=[catalog(catalogSourceName="a"), catalog(catalogSourceName="a", targetTag="x")])
        assert set(found) == {"mirror.operators[1].catalogSourceName"}

    def test_dependencies_wanted_and_not_wanted(self):
        assert set(mirror_faults(operators=[catalog(dependencies=True, skipDependencies=True)])) == {"mirror.operators[0].dependencies"}


class TestRulesForImages:
    def test_broken_references_and_targets(self):
        images = [{"name": "quay.io/a/b"}, {"name": "quay.io/a/b:1", "targetRepo": "A"}, {"name": "quay.io/a/b:1", "targetTag": ".."}]
        found = mirror_faults(additionalImages=images)
        assert set(found) == {
            "mirror.additionalImages[0].name",
            "mirror.additionalImages[1].targetRepo",
            "mirror.additionalImages[2].targetTag",
        }

    def test_a_path_on_disk_that_no_registry_can_have_as_a_repository(self):
        found = mirror_faults(additionalImages=[{"name": "oci:///Data/My Images"}])
        assert "a registry can have no repository 'Data/My Images'; give it a target" in found["mirror.additionalImages[0].name"]
        assert image_set(additionalImages=[{"name": "oci:///Data/My Images", "targetRepo": "own"}])

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"name": "quay.io/a/b:1"}, {"name": "docker.io/a/b:1"}),
            ({"name": "quay.io/a/b:1"}, {"name": f"quay.io/a/b:1@{DIGEST}"}),
            ({"name": "quay.io/a/b:1"}, {"name": "quay.io/c/d:2", "targetRepo": "a/b", "targetTag": "1"}),
            ({"name": "quay.io/a/b:latest"}, {"name": "oci:///a/b"}),
        ],
    )
    def test_two_images_that_would_lie_in_the_same_place(self, first, second):
        found = mirror_faults(additionalImages=[first, second])
        assert list(found) == ["mirror.additionalImages[1].name"]
        assert "mirror.additionalImages[0].name; give one of them another target" in found["mirror.additionalImages[1].name"]

    def test_an_image_in_the_place_of_a_catalog(self):
        found = mirror_faults(operators=[catalog()], additionalImages=[{"name": "quay.io/ops/index:v1"}])
        assert list(found) == ["mirror.additionalImages[0].name"]

    def test_the_same_image_twice_is_one_image(self):
        images = [
            {"name": "quay.io/a/b:1"},
            {"name": "docker://quay.io/a/b:1"},
            {"name": f"quay.io/a/b@{DIGEST}"},
            {"name": f"x.io/a/b@{DIGEST}"},
        ]
        assert len(image_set(additionalImages=images).additional_images) == 4

    def test_the_same_image_twice_with_different_platforms(self):
        images = [{"name": "quay.io/a/b:1"}, {"name": "quay.io/a/b:1", "platforms": [{"os": "linux", "architecture": "amd64"}]}]
        assert "with different platforms" in mirror_faults(additionalImages=images)["mirror.additionalImages[1].name"]

    def test_blocked_images_are_patterns_of_go(self):
        found = mirror_faults(blockedImages=[{"name": "a.*"}, {"name": "a(?=b)"}, {"name": "("}, {"name": ""}, {}, "x"])
        assert set(found) == {
            "mirror.blockedImages[1].name",
            "mirror.blockedImages[2].name",
            "mirror.blockedImages[3].name",
            "mirror.blockedImages[4].name",
            "mirror.blockedImages[5]",
        }
        assert "'a(?=b)' is no pattern: '(?=b)' is nothing" in found["mirror.blockedImages[1].name"]


class TestRulesForReleasesAndCharts:
    def test_channels(self):
        found = mirror_faults(
            platform={
                "channels": [
                    {"name": "stable-4.16", "minVersion": "4.16", "type": "rhel"},
                    {"name": "stable-4.16", "minVersion": "4.16.5", "maxVersion": "4.16.2"},
                    {"type": "ocp"},
                ],
                "architectures": ["amd64", "x86_64", "amd64"],
                "platforms": [{"os": "linux", "architecture": "amd64"}],
                "release": "quay.io/release",
            }
        )
        assert set(found) == {
            "mirror.platform.channels[0].minVersion",
            "mirror.platform.channels[0].type",
            "mirror.platform.channels[1].name",
            "mirror.platform.channels[1].minVersion",
            "mirror.platform.channels[2].name",
            "mirror.platform.architectures",
            "mirror.platform.architectures[1]",
            "mirror.platform.architectures[2]",
            "mirror.platform.release",
        }
        assert found["mirror.platform.channels[0].type"] == "'rhel' must be one of ocp, okd"

    def test_charts(self):
        found = mirror_faults(
            helm={
                "repositories": [
                    {"name": "a", "url": "charts.example.com"},
                    {"name": "a", "url": "https://b", "charts": [{"name": "x"}, {"name": "x"}, {"name": "y", "path": "/z"}]},
                ],
                "local": [{"name": "l"}],
            }
        )
        assert set(found) == {
            "mirror.helm.repositories[0].url",
            "mirror.helm.repositories[1].name",
            "mirror.helm.repositories[1].charts[1]",
            "mirror.helm.repositories[1].charts[2].path",
            "mirror.helm.local[0].path",
        }


class TestDeleteConfigurations:
    def test_it_has_the_same_content_below_delete(self):
        found = load_image_set({**DELETE, "delete": {"additionalImages": [{"name": "quay.io/a/b:1"}]}})
        assert found.root == "delete"
        assert found.additional_images == (AdditionalImage("quay.io/a/b:1"),)

    def test_the_same_rules_hold_with_paths_below_delete(self):
        found = faults({**DELETE, "delete": {"operators": [catalog(), catalog(), {"catalog": "x"}]}})
        assert set(found) == {"delete.operators[1]", "delete.operators[2].catalog"}

    def test_what_lies_in_one_place_is_deleted_once(self):
        images = [{"name": "quay.io/a/b:1"}, {"name": "docker.io/a/b:1"}]
        assert len(load_image_set({**DELETE, "delete": {"additionalImages": images}}).additional_images) == 2
        assert set(faults({**DELETE, "delete": {"additionalImages": [{"name": "oci:///A"}]}})) == {"delete.additionalImages[0].name"}

    def test_nothing_is_blocked_and_no_archive_is_written(self):
        assert set(faults({**DELETE, "archiveSize": 4, "delete": {"blockedImages": []}})) == {"archiveSize", "delete.blockedImages"}

    def test_releases_are_of_the_usual_architecture_unless_it_says_otherwise(self):
        platform = {"channels": [{"name": "stable-4.16"}]}
        assert load_image_set({**DELETE, "delete": {"platform": platform}}).platform.architectures == ("amd64",)
        sparse = {**platform, "platforms": [{"os": "linux", "architecture": "amd64"}]}
        assert load_image_set({**DELETE, "delete": {"platform": sparse}}).platform.architectures == ()


class TestWhatIsNotDone:
    def test_an_image_set_of_operators_and_images_is_supported(self):
        found = image_set(
            operators=[catalog()], additionalImages=[{"name": "q.io/a:1"}], blockedImages=[{"name": "x"}], platform={}, helm={}
        )
        assert unsupported(found) == []
        assert remarks(found) == []

    def test_what_is_not_mirrored_yet_is_named(self):
        platform = {"graph": True, "channels": [{"name": "stable-4.16"}], "release": "quay.io/a/b:1"}
        helm = {"repositories": [{"name": "a", "url": "https://b"}], "local": [{"name": "a", "path": "/b"}]}
        found = unsupported(image_set(platform=platform, helm=helm))
        assert [sentence.partition(":")[0] for sentence in found] == [
            "mirror.platform.channels",
            "mirror.platform.release",
            "mirror.platform.graph",
            "mirror.helm.repositories",
            "mirror.helm.local",
        ]
        assert all("not mirrored yet" in sentence for sentence in found)

    def test_what_has_no_effect_is_told(self):
        found = remarks(
            image_set(
                samples=[{"name": "ruby"}],
                operators=[catalog(skipDependencies=True), catalog(targetTag="x", full=True, dependencies=True)],
                platform={"kubeVirtContainer": True},
            )
        )
        assert [sentence.partition(":")[0] for sentence in found] == [
            "mirror.samples",
            "mirror.platform.kubeVirtContainer",
            "mirror.operators[0].skipDependencies",
            "mirror.operators[1].dependencies",
        ]
        release = image_set(platform={"channels": [{"name": "stable-4.16"}], "release": "quay.io/a/b:1"})
        assert remarks(release) == ["mirror.platform.channels: they have no effect beside release"]


class TestPinning:
    def test_a_catalog_gets_its_digest_and_keeps_its_tag(self):
        found = pinned(image_set(operators=[catalog()]), {"quay.io/ops/index:v1": DIGEST}).operators[0]
        assert (found.catalog, found.target_tag) == (f"quay.io/ops/index@{DIGEST}", "v1")

    def test_a_target_tag_that_is_given_stays(self):
        assert pinned(image_set(operators=[catalog(targetTag="mine")]), {"quay.io/ops/index:v1": DIGEST}).operators[0].target_tag == "mine"

    def test_catalogs_on_disk_with_a_digest_or_unknown_stay_as_they_are(self):
        first = image_set(operators=[{"catalog": "oci:///a/b"}, {"catalog": f"q.io/a/b@{DIGEST}"}, catalog()])
        assert pinned(first, {"oci:///a/b": DIGEST, f"q.io/a/b@{DIGEST}": DIGEST}) == first

    def test_files_are_written_where_oc_mirror_writes_them_and_only_when_something_changed(self, tmp_path):
        first = image_set(operators=[catalog()])
        files = write_pinned(tmp_path, first, "2026-11-20T22:06:25Z")
        assert [path.name for path in files] == ["isc_pinned_2026-11-20T22:06:25Z.yaml", "disc_pinned_2026-11-20T22:06:25Z.yaml"]
        assert load_image_set(files[0]) == first
        assert load_image_set(files[1]) == to_delete(first)
        assert write_pinned(tmp_path, first, "2026-11-21T10:00:00Z") == files
        other = image_set(additionalImages=[{"name": "q.io/a:1"}])
        assert write_pinned(tmp_path, other, "2026-11-22T10:00:00Z")[0].name == "isc_pinned_2026-11-22T10:00:00Z.yaml"

    def test_without_our_own_fields_oc_mirror_can_read_it(self):
        own = {"dependencies": True, "catalogSourceName": "a", "lenient": True, "packages": [{"name": "a", "versions": ["1.0.0"]}]}
        found = yaml.safe_load(image_set_yaml(image_set(operators=[catalog(**own)]), own=False))
        assert found["mirror"]["operators"] == [catalog(packages=[{"name": "a"}])]

    @pytest.mark.parametrize("tag", ["1e3", "0x1f", "y", "N", "on", "1.0", "012", "0o17", "null", "1_000"])
    def test_texts_that_look_like_something_else_stay_texts(self, tag):
        written = image_set_yaml(image_set(operators=[catalog(targetTag=tag)])).decode()
        assert f'targetTag: "{tag}"' in written.replace("'", '"')


class TestRecordedRuns:
    @pytest.mark.parametrize("name", [name for name in case_names() if "isc.yaml" in case(name).files])
    def test_configurations_that_the_tool_took_are_taken(self, name, file):
        assert load_image_set(file(case(name).text("isc.yaml")))

    @pytest.mark.parametrize(
        ("name", "digest"),
        [
            ("m2m-full", "cc7954469a35e3dddb9a2bd2277d72af508ec339f3180c18396c76bd7d198641"),
            ("m2m-ops-headsonly", "cc7954469a35e3dddb9a2bd2277d72af508ec339f3180c18396c76bd7d198641"),
            ("m2m-ops-multi-target", "d442063742aaf21b8e4406c9c13f094e47584815064f0406d0e8545d8cb5dd89"),
            ("m2m-platforms", ""),
            ("m2m-rel-range", ""),
        ],
    )
    def test_the_pinned_file_is_the_one_that_the_tool_wrote(self, name, digest, file):
        first = load_image_set(file(case(name).text("isc.yaml")))
        digests = {entry.catalog: f"sha256:{digest}" for entry in first.operators}
        assert image_set_yaml(to_delete(pinned(first, digests))).decode() == case(name).pinned()

    def test_all_configurations_of_the_whole_recording(self):
        folder = whole_recording()
        if folder is None:
            pytest.skip("the whole recording is not there")
        for path in sorted(folder.glob("isc/*.yaml")) + sorted(folder.glob("cases/*/working-dir/disc_pinned_*.yaml")):
            assert load_image_set(path), path
