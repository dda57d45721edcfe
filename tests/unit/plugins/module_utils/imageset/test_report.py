# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of image sets: a document for programs, and a page for people."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import ArchiveResult
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import AdditionalImage, OperatorCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import Naming
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.report import report_document, write_reports
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.report_page import duration, page, size
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import (
    ImageSetResult,
    MirroredImage,
    Mode,
    ResourceChanges,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, NOT_ATTEMPTED, UNCHANGED, Outcome
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location

MOMENT = datetime(2026, 11, 21, 10, 30, 5, 250000, timezone(timedelta(hours=1)))
WORKING_DIR = Path("/data/mirror/working-dir")
LAB = Naming(Location("mirror.lab:8443", "airgap"))
WORDS = {COPIED: "✓ copied", UNCHANGED: "= already there", FAILED: "✗ failed", NOT_ATTEMPTED: "○ not attempted"}
VOID = {"meta", "br", "input"}


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def mirrored(image, state=COPIED, bundles=(), **outcome):
    return MirroredImage(image, Outcome(image.destination, image.destination, state=state, **outcome), tuple(bundles))


def additional(number=1, state=COPIED, **outcome):
    return mirrored(LAB.additional(AdditionalImage(f"quay.io/tools/tool-{number}:v1")), state, **outcome)


def related(number, *bundles, state=COPIED, **outcome):
    name = f"registry.example.com/operators/operand-{number}-rhel9@{digest(number)}"
    return mirrored(LAB.operator_image(name), state, bundles, digest=digest(number), **outcome)


def bundle(number, name, state=COPIED, **outcome):
    image = LAB.operator_image(f"registry.example.com/operators/bundle-{number}@{digest(number)}", bundle=True)
    return mirrored(image, state, [name], digest=digest(number), **outcome)


def catalog(state=COPIED, **outcome):
    return mirrored(LAB.catalog(OperatorCatalog(catalog="registry.example.com/redhat/operator-index:v4.16")), state, **outcome)


def result(*images, **fields):
    return ImageSetResult(**{"mode": Mode.MIRROR_TO_MIRROR, "working_dir": WORKING_DIR, "images": images, **fields})


@dataclass
class Table:
    """Rows of cells below the heading that stands over them; `heads` as (scope, text)."""

    heading: str
    heads: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


class Page(HTMLParser):
    """What a browser would make of a page, as far as it is of interest here; every element must be closed where it should be."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self.items: list[str] = []
        self.facts: list[str] = []
        self.tables: list[Table] = []
        self.embedded: dict[str, str] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(content.decode())
        self.close()
        if self._open:
            raise ValueError(f"never closed: {self._open}")

    @property
    def rows(self) -> list[list[str]]:
        """Of all images."""
        return [row for table in self.tables[1:] for row in table.rows]

    def table(self, heading: str) -> Table:
        return next(table for table in self.tables if table.heading == heading)

    def names(self) -> set[str]:
        return {name for name, _attributes in self.elements}

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append(Table(self.headings[-1]))
        elif tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append([])
        elif tag in ("th", "td"):
            self._cell(dict(attrs))
        for name, texts in (("li", self.items), ("dd", self.facts), ("h1", self.headings), ("h2", self.headings)):
            if tag == name:
                texts.append("")
        if tag not in VOID:
            self._open.append(tag)

    def _cell(self, attributes):
        if "thead" in self._open:
            self.tables[-1].heads.append((attributes["scope"], ""))
        else:
            self.tables[-1].rows[-1].append("")

    def handle_endtag(self, tag):
        if self._open.pop() != tag:
            raise ValueError(f"</{tag}> closes something else")

    def handle_data(self, data):
        place = self._open[-1] if self._open else ""
        if place in ("style", "script"):
            self.embedded[place] = data
            return
        self.text += data
        if "thead" in self._open:
            if place == "th":
                scope, text = self.tables[-1].heads[-1]
                self.tables[-1].heads[-1] = (scope, text + data)
        elif "tbody" in self._open and {"th", "td"} & set(self._open):
            self.tables[-1].rows[-1][-1] += data
        for name, texts in (("li", self.items), ("dd", self.facts), ("h1", self.headings), ("h2", self.headings)):
            if name in self._open:
                texts[-1] += data


def shown(told, **options):
    values = {"destination": "docker://mirror.lab", "moment": "2026-11-21T09:30:05Z", "document": "report.json", **options}
    return Page(page(told, **values))


class TestFiles:
    def test_both_are_named_after_the_moment_in_utc(self, tmp_path):
        folder = tmp_path / "working-dir" / "reports"
        written = write_reports(folder, result(additional()), moment=MOMENT)
        assert written == (folder / "20261121T093005.250Z.json", folder / "20261121T093005.250Z.html")
        assert {path.stat().st_mode & 0o777 for path in written} == {0o644}
        assert sorted(folder.iterdir()) == sorted(written)
        assert ("a", {"href": written[0].name}) in Page(written[1].read_bytes()).elements

    def test_the_same_run_makes_the_same_bytes_and_another_one_leaves_them(self, tmp_path):
        told = result(catalog(), additional(2, FAILED, reason="it is gone"), failures=["it is gone"], elapsed=3.25)
        first = {path: path.read_bytes() for path in write_reports(tmp_path, told, moment=MOMENT)}
        assert {path: path.read_bytes() for path in write_reports(tmp_path, told, moment=MOMENT.astimezone(timezone.utc))} == first
        later = write_reports(tmp_path, told, moment=MOMENT + timedelta(milliseconds=1))
        assert not set(later) & set(first)
        assert {path: path.read_bytes() for path in first} == first

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(FileError, match=r"make the folder.*file/reports"):
            write_reports(tmp_path / "file" / "reports", result(), moment=MOMENT)


class TestDocument:
    def test_it_has_the_results_of_the_task(self, tmp_path):
        told = result(
            related(1, "logging/logging.v6.1.0", state=FAILED, reason="the registry answered 404"),
            catalog(size=1024, digest=digest(7)),
            failures=["operand-1: the registry answered 404"],
            warnings=["the catalog has no channel 'fast'"],
            resources=ResourceChanges((WORKING_DIR / "a.yaml", WORKING_DIR / "b.yaml"), (WORKING_DIR / "a.yaml",)),
            mapping=(WORKING_DIR / "mapping.txt",),
            pushed=1024,
            changed=True,
        )
        document = json.loads(write_reports(tmp_path, told, moment=MOMENT)[0].read_bytes())
        assert document.pop("schema") == 1
        assert document.pop("moment") == "2026-11-21T09:30:05.250Z"
        assert document.pop("destination") == "docker://mirror.lab:8443"
        assert document.pop("complete") is False
        assert document.pop("warnings") == ["the catalog has no channel 'fast'"]
        results = told.as_results()
        assert document == {name: results[name] for name in document}
        first = document["images"][0]
        assert (first["kind"], first["state"], first["reason"]) == ("operatorRelatedImage", "failed", "the registry answered 404")
        assert first["source"] == f"docker://registry.example.com/operators/operand-1-rhel9@{digest(1)}"
        assert first["bundles"] == ["logging/logging.v6.1.0"]

    def test_its_fields_are_those_of_its_schema(self):
        document = report_document(result(additional()), moment=MOMENT)
        fields = "schema moment destination complete warnings changed mode images totals failures archive working_dir cluster_resources"
        assert set(document) == set(fields.split())
        image = "source destination digest state reason bytes blobs index companions notes elapsed kind bundles"
        assert set(document["images"][0]) == set(image.split())

    def test_to_disk_the_destination_is_the_folder_of_the_archive(self):
        assert report_document(result(mode=Mode.MIRROR_TO_DISK), moment=MOMENT)["destination"] == "file:///data/mirror"
        assert report_document(result(), moment=MOMENT)["destination"] == ""

    def test_what_is_no_utf_8_can_be_told(self, tmp_path):
        document, readable = write_reports(tmp_path, result(failures=["the file caf\udce9"]), moment=MOMENT)
        assert json.loads(document.read_bytes())["failures"] == ["the file caf\udce9"]
        assert Page(readable.read_bytes()).items == ["the file caf\\udce9"]


class TestPage:
    def test_failures_come_first_and_images_stand_with_what_they_belong_to(self):
        told = result(
            related(1, "logging/logging.v6.1.0", "logging/logging.v6.0.0", state=FAILED, reason="it is gone", size=2048),
            related(2, "logging/logging.v6.1.0", "tracing/tracing.v1"),
            bundle(3, "logging/logging.v6.1.0", NOT_ATTEMPTED, reason="it needs operand-1"),
            additional(4, UNCHANGED, digest=digest(4)),
            catalog(size=3 << 20),
            failures=["operand-1: it is gone"],
            warnings=["look at that"],
        )
        found = shown(told)
        assert found.headings == [
            "Image set: 1 of 5 images failed",
            "What failed",
            "Warnings",
            "Overview",
            "Catalogs",
            "Operator logging",
            "Images that several operators need",
            "Additional images",
        ]
        assert found.items == ["operand-1: it is gone", "look at that"]
        logging = found.table("Operator logging").rows
        assert [(row[1], row[3], row[4], row[5]) for row in logging] == [
            ("operator image", "✗ failedit is gone", "2.0 KiB", "logging.v6.1.0, logging.v6.0.0"),
            ("bundle", "○ not attemptedit needs operand-1", "0 B", "logging.v6.1.0"),
        ]
        assert found.table("Images that several operators need").rows[0][5] == "logging/logging.v6.1.0, tracing/tracing.v1"
        assert logging[0][0] == f"registry.example.com/operators/operand-1-rhel9@{digest(1)}"
        assert logging[0][2] == "airgap/operators/operand-1-rhel9:sha256-000000000000…"
        tool = found.table("Additional images").rows[0]
        assert tool == [f"quay.io/tools/tool-4:v1{digest(4)}", "additional image", "airgap/tools/tool-4:v1", "= already there", "0 B", ""]
        assert found.table("Overview").rows == [
            ["Catalogs", "1", "0", "0", "1", "0", "3.0 MiB"],
            ["Operator logging", "2", "1", "1", "0", "0", "2.0 KiB"],
            ["Images that several operators need", "1", "0", "0", "1", "0", "0 B"],
            ["Additional images", "1", "0", "0", "0", "1", "0 B"],
        ]

    def test_a_complete_run_speaks_of_no_failure(self):
        archive = ArchiveResult(True, sequence=3, paths=(Path("/data/mirror_000001.tar"), Path("/data/mirror_000002.tar")), size=5 << 30)
        told = result(additional(), mode=Mode.MIRROR_TO_DISK, archive=archive, elapsed=192, pushed=5 << 30)
        found = shown(told, destination="file:///data")
        assert found.headings == ["Image set: 1 image mirrored", "Overview", "Additional images"]
        assert "number 3, 5.0 GiB in 2 files: /data/mirror_000001.tar, /data/mirror_000002.tar" in found.facts
        assert {"mirror to disk", "3 min 12 s", "file:///data", "1 copied"} <= set(found.facts)

    def test_nothing_but_failures_makes_a_page_too(self):
        assert shown(result(failures=["no catalog"])).headings[:2] == ["Image set: not everything could be mirrored", "What failed"]

    def test_long_lists_are_cut_and_say_where_the_rest_is(self):
        found = shown(result(failures=[f"failure {number}" for number in range(1000)]))
        assert found.items[-2:] == ["failure 199", "800 more: in the tables below, and in report.json"]
        many = [f"logging/logging.v{number}" for number in range(30)]
        assert shown(result(related(1, *many))).rows[0][5] == "logging.v0, logging.v1 and 28 more"

    def test_it_needs_nothing_else_and_lets_nothing_else_in(self):
        found = shown(result(catalog()))
        policy = next(attributes["content"] for name, attributes in found.elements if "http-equiv" in attributes)
        for name in ("style", "script"):
            checksum = base64.b64encode(hashlib.sha256(found.embedded[name].encode()).digest()).decode()
            assert f"{name}-src 'sha256-{checksum}'" in policy
        assert policy.startswith("default-src 'none';")
        assert not found.names() & {"link", "img", "iframe", "object", "base"}
        assert not [attributes for _name, attributes in found.elements if "src" in attributes or "style" in attributes]
        assert {attributes["href"] for name, attributes in found.elements if name == "a"} == {"report.json", "#s1"}
        assert not re.search(r"url\(|@import|https?:", found.embedded["style"] + found.embedded["script"])

    def test_tables_can_be_heard(self):
        found = shown(result(catalog(), additional()))
        assert all(scope == "col" and text for table in found.tables for scope, text in table.heads)
        assert [len(table.heads) for table in found.tables] == [len(table.rows[0]) for table in found.tables]
        firsts = [attributes for name, attributes in found.elements if name == "th" and attributes["scope"] == "row"]
        assert len(firsts) == sum(len(table.rows) for table in found.tables)
        assert [attributes["aria-label"] for name, attributes in found.elements if name == "table"] == found.headings[1:]
        # the script shows what does not work without it
        assert [attributes["id"] for name, attributes in found.elements if name == "form" and "hidden" in attributes] == ["filter"]

    @pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
    def test_colours_can_be_told_from_what_is_behind_them(self, scheme):
        style = shown(result()).embedded["style"]
        block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
        colours = dict(re.findall(r"--(\w+): #(\w{6})", block))
        for front in ("text", "quiet", "bad", "good", "link"):
            for behind in ("page", "band"):
                assert contrast(colours[front], colours[behind]) >= 4.5, (front, behind)

    def test_ten_thousand_images_make_a_page_that_can_be_sent(self):
        bundles = [[f"operator-{number % 250}/operator-{number % 250}.v4.16.{version}" for version in range(5)] for number in range(10_000)]
        told = result(*(related(number, *names, size=number * 100_000) for number, names in enumerate(bundles)))
        content = page(told, destination="", moment="", document="report.json")
        assert len(content) < 4_000_000
        assert content.count(b"\n<tr class=") == 10_000


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1)
HOSTILE = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</td></tr></table><h1>",
            "</script><script>alert(1)</script>",
            "<!--",
            "]]>&lt;b&gt;&#60;",
            "{title}{0}%s",
            "' onmouseover='alert(1)",
        ]
    ),
)


class TestHostile:
    @given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE, st.sampled_from(sorted(WORDS))), min_size=1, max_size=5))
    def test_whatever_is_in_names_and_errors_is_text(self, images):
        plain = additional()
        entries = [
            MirroredImage(
                replace(plain.image, source=replace(plain.image.source, written=name)),
                replace(plain.outcome, state=state, reason=reason, destination=replace(plain.outcome.destination, repository=place)),
            )
            for name, place, reason, state in images
        ]
        reasons = [reason for _name, _place, reason, _state in images]
        found = shown(result(*entries, failures=reasons, warnings=reasons), destination=reasons[0])
        assert found.items == reasons * 2
        assert reasons[0] in found.facts
        assert [(row[0], row[2], row[3]) for row in found.rows] == [
            (name, f"{place}:v1", f"{WORDS[state]}{reason}") for name, place, reason, state in images
        ]
        harmless = shown(result(additional(), failures=["a"], warnings=["a"]))
        assert found.names() <= harmless.names() | {"small", "br"}
        assert {name for _tag, attributes in found.elements for name in attributes} == {
            name for _tag, attributes in harmless.elements for name in attributes
        }

    @given(HOSTILE)
    def test_operators_may_be_called_anything(self, name):
        # a slash ends the name of a package
        package = name.replace("/", "")
        found = shown(result(related(1, f"{package}/bundle")))
        assert found.headings[-1] == f"Operator {package}"
        assert found.rows[0][5] == "bundle"

    def test_what_nobody_would_see_is_written_as_its_number(self):
        assert shown(result(failures=["a\x00b\x1b[31m\u202eabc\u200b\nd"])).items == ["a\\u0000b\\u001b[31m\\u202eabc\\u200b\nd"]


class TestWords:
    @pytest.mark.parametrize(
        ("count", "words"),
        [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (3 << 20, "3.0 MiB"),
            (1023 << 20, "1.0 GiB"),
            (5 << 40, "5.0 TiB"),
            (5000 << 40, "5000.0 TiB"),
        ],
    )
    def test_sizes(self, count, words):
        assert size(count) == words

    @pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (4.21, "4.2 s"), (192, "3 min 12 s"), (7500, "2 h 5 min")])
    def test_durations(self, seconds, words):
        assert duration(seconds) == words


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 computes it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
