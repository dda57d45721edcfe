# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any document is an image set, or is refused with the path of everything that is wrong."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import document_of, load_image_set, pinned, to_delete
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import DocumentError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet

KEYS = """
    kind apiVersion mirror delete archiveSize platform graph channels architectures platforms release kubeVirtContainer operators catalog
    targetCatalog targetTag full packages name defaultChannel minVersion maxVersion versions dependencies catalogSourceName lenient
    skipDependencies additionalImages targetRepo helm repositories local charts url path imagePaths version blockedImages samples os
    architecture type shortestPath
""".split()  # noqa: SIM905
WORDS = [
    "ImageSetConfiguration",
    "DeleteImageSetConfiguration",
    "mirror.openshift.io/v2alpha1",
    "quay.io/a/b:1",
    "oci:///a",
    "1.2.3",
    "ocp",
    "linux",
    "amd64",
    "(",
    "a",
    "",
]
# a fixed alphabet: that of all characters takes long to build
odd = st.text(alphabet="aZ0:/@.-_ \n\t\x00\x7f\x85é\u2028\ud800\U0001f600'\"&*!|>%#{}[],?<=~", max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | odd
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | odd, inner, max_size=4))


contents = (
    st.binary(max_size=60)
    | st.lists(odd, max_size=6).map(lambda texts: "".join(texts).encode(errors="replace"))
    | values.map(lambda value: yaml.safe_dump(value).encode())
)


def one_of(needed=(), **fields):
    """A mapping that has the needed fields and some of the others."""
    return st.fixed_dictionaries(
        {key: value for key, value in fields.items() if key in needed},
        optional={key: value for key, value in fields.items() if key not in needed},
    )


low = st.sampled_from(["0.9.9-rc.1", "1", "1.2.3", ""])
high = st.sampled_from(["1.2.3", "v2.0", "", "3"])
name = st.sampled_from(["a", "b", "c"])
tag = st.sampled_from(["v1", "latest", "v2"])
platform = one_of(("os", "architecture"), os=st.just("linux"), architecture=st.sampled_from(["amd64", "arm64"]))
channel = one_of(("name",), name=name, minVersion=low, maxVersion=high)
bounded = one_of(("name",), name=name, minVersion=low, maxVersion=high)
exact = one_of(("name",), name=name, defaultChannel=name, versions=st.lists(low, max_size=2))
in_channels = one_of(("name",), name=name, channels=st.lists(channel, max_size=2))
package = bounded | exact | in_channels
sources = [
    "quay.io/a/b:1",
    f"host:5000/a@sha256:{'0' * 64}",
    "oci:///data/x",
    "team/app:2",
    "busybox:3",
    f"q.io/a:1@sha256:{'1' * 64}",
]
source = st.sampled_from(sources)
operator = one_of(
    ("catalog",),
    catalog=source,
    targetCatalog=st.sampled_from(["x/y", "z"]),
    targetTag=tag,
    full=st.booleans(),
    packages=st.lists(package, max_size=2),
    platforms=st.lists(platform, max_size=2),
    dependencies=st.booleans(),
    catalogSourceName=name,
)
image = one_of(("name",), name=source, targetRepo=st.sampled_from(["x/y", "z"]), targetTag=tag, platforms=st.lists(platform, max_size=1))
section = one_of(
    operators=st.lists(operator, max_size=2),
    additionalImages=st.lists(image, max_size=3),
    blockedImages=st.lists(one_of(("name",), name=st.sampled_from(["a.*", "^b$"])), max_size=2),
    platform=one_of(graph=st.booleans(), channels=st.lists(channel, max_size=2), platforms=st.lists(platform, max_size=1)),
    helm=one_of(local=st.lists(one_of(("name", "path"), name=name, path=name), max_size=1)),
)


def documents(section):
    return st.builds(
        lambda root, content: {
            "apiVersion": "mirror.openshift.io/v2alpha1",
            "kind": "DeleteImageSetConfiguration" if root == "delete" else "ImageSetConfiguration",
            root: {key: value for key, value in content.items() if root == "mirror" or key != "blockedImages"},
        },
        st.sampled_from(["mirror", "delete"]),
        section,
    )


@st.composite
def spoilt(draw):
    """A document with one value somewhere in it replaced by another."""
    document = draw(documents(section))
    holder, depth = document, draw(st.integers(0, 6))
    for _step in range(depth):
        inner = [value for value in (holder.values() if isinstance(holder, dict) else holder) if value and isinstance(value, (dict, list))]
        if not inner:
            break
        holder = draw(st.sampled_from(inner))
    key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    holder[key] = draw(values)
    return document


def outcome(document):
    """The image set of a document, None when it was refused as it should be."""
    faults = ()
    try:
        return load_image_set(document)
    except DocumentError as error:
        faults = error.faults
    assert faults
    assert all(fault.path.strip() and fault.reason.strip() and str(fault).isprintable() for fault in faults)
    return None


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=5) | spoilt())
def test_any_mapping(document):
    found = outcome(document)
    assert found is None or isinstance(found, ImageSet)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(odd, max_size=6).map(lambda texts: "".join(texts).encode(errors="replace"))
    | values.map(lambda value: yaml.safe_dump(value).encode())
)
def test_any_file(tmp_path, content):
    path = tmp_path / "isc.yaml"
    path.write_bytes(content)
    found = outcome(path)
    assert found is None or isinstance(found, ImageSet)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(documents(section))
def test_what_is_taken_survives_being_written_and_read(tmp_path, document):
    found = outcome(document)
    if found is not None:
        path = tmp_path / "again.yaml"
        path.write_text(yaml.safe_dump(document_of(found)))
        assert load_image_set(path) == found


@settings(deadline=None)
@given(documents(section))
def test_pinning_is_done_once_and_for_all(document):
    found = outcome(document)
    if found is not None:
        digests = {entry.catalog: "sha256:" + "2" * 64 for entry in found.operators}
        once = pinned(found, digests)
        assert pinned(once, {entry.catalog: "sha256:" + "3" * 64 for entry in once.operators}) == once
        assert load_image_set(document_of(to_delete(once))).operators == once.operators


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_no_mapping(tmp_path, document):
    path = tmp_path / "isc.yaml"
    path.write_text(yaml.safe_dump(document))
    assert outcome(path) is None
