# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of a run over an image set as one HTML page that needs nothing else: no network, no other file.

Names and errors come from catalogs and registries, which belong to others. Everything is escaped, what would be invisible is made
visible, and the page's own policy lets a browser run and load nothing but the script and the style that are written here.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NewType

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult, MirroredImage, Mode
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, NOT_ATTEMPTED, UNCHANGED

# What may stand in the page as it is. Only _text and _element make it, and mypy sees to that.
Html = NewType("Html", str)

# Failures that stand above the tables; the reasons of all images are in these
_TOLD = 200
# Bundles that are named with an image; the document has all of them
_BUNDLES = 2
# Digits of a digest that is there in full beside it
_CUT = 12

_MODES = {
    Mode.MIRROR_TO_DISK: "mirror to disk",
    Mode.DISK_TO_MIRROR: "disk to mirror",
    Mode.MIRROR_TO_MIRROR: "mirror to mirror",
}
# A sign beside the word, so that a long table can be looked over without telling colours apart
_STATES = {FAILED: "✗ failed", NOT_ATTEMPTED: "○ not attempted", COPIED: "✓ copied", UNCHANGED: "= already there"}
_KINDS = {
    ImageKind.RELEASE_CONTENT: "release image",
    ImageKind.KUBEVIRT: "virtual machine disk",
    ImageKind.RELEASE: "release",
    ImageKind.GRAPH: "update graph",
    ImageKind.RELATED: "operator image",
    ImageKind.ADDITIONAL: "additional image",
    ImageKind.HELM: "Helm image",
    ImageKind.BUNDLE: "bundle",
    ImageKind.CATALOG: "catalog",
}
_SECTIONS = {
    ImageKind.CATALOG: "Catalogs",
    ImageKind.ADDITIONAL: "Additional images",
    ImageKind.HELM: "Images of Helm charts",
}
_RELEASES = "Releases"
_SHARED = "Images that several operators need"
_LONELY = "Other images of operators"
# Those that have no place here are single operators, which come after the catalogs
_ORDER = ("Catalogs", "", _SHARED, _LONELY, _RELEASES, "Additional images", "Images of Helm charts")

# Controls, marks that turn the direction of text, and halves of characters
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{facts}
</header>
<main>
{content}
</main>
<script>{script}</script>
</body>
</html>
"""

_STYLE = """
:root { --page: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de; --band: #f3f5f8; --bad: #a40e26; --good: #116329;
  --link: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0f1318; --text: #e6edf3; --quiet: #a3adb8; --line: #3a424d; --band: #1a2028; --bad: #ff9492; --good: #6bd17f;
    --link: #79b8ff; }
}
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 110rem; padding: 1rem 2rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
a { color: var(--link); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.5rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead th { background: var(--band); position: sticky; top: 0; white-space: nowrap; }
tbody th { font-weight: normal; min-width: 9rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.images td:nth-child(2) { overflow-wrap: normal; }
.images td:nth-child(4), .images td:nth-child(6) { min-width: 9rem; }
.images td:nth-child(5) { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.copied td:nth-child(4) { color: var(--good); }
.failed td:nth-child(4), .failures { color: var(--bad); }
.not_attempted td:nth-child(4), .unchanged td:nth-child(4), small { color: var(--quiet); }
.failures li, .warnings li { overflow-wrap: anywhere; margin-bottom: .3rem; }
#filter { margin: 2rem 0 0; display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; }
thead button { all: unset; cursor: pointer; }
thead button:focus-visible { outline: 2px solid var(--link); }
[aria-sort=ascending] button::after { content: " ▲"; }
[aria-sort=descending] button::after { content: " ▼"; }
"""

# The page can be read without it, and then shows no filter
_SCRIPT = """
"use strict";
const form = document.getElementById("filter");
const tables = [...document.querySelectorAll("table.images")];
const words = new Map();
for (const table of tables)
  for (const row of table.tBodies[0].rows) words.set(row, row.textContent.toLowerCase());

function filter() {
  const wanted = form.elements.words.value.toLowerCase().split(/\\s+/).filter(Boolean);
  const state = form.elements.state.value;
  let total = 0;
  for (const table of tables) {
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = words.get(row);
      row.hidden = (state && row.className !== state) || !wanted.every(word => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    table.closest("section").hidden = !shown;
    total += shown;
  }
  form.querySelector("output").textContent = `${total} of ${words.size} images`;
}

function sort(table, header) {
  const column = header.cellIndex;
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent;
  const order = new Intl.Collator("en", {numeric: true}).compare;
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].sort((a, b) => direction * order(key(a), key(b)));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table"))
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
  }
form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());
form.hidden = !words.size;
filter();
"""


def page(result: ImageSetResult, *, destination: str, moment: str, document: str) -> bytes:
    """The page.

    :param moment: as people read it.
    :param document: name of the file beside it that has the same for programs.
    """
    sections = _sections(result.images)
    content = [
        _list("What failed", "failures", _shortened(result.failures, document)),
        _list("Warnings", "warnings", result.warnings),
        _overview(sections),
        _filter(),
        *(_section(number, title, images) for number, (title, images) in enumerate(sections.items(), 1)),
    ]
    text = _PAGE.format(
        policy=_policy(),
        title=_text(_title(result)),
        style=_STYLE,
        facts=_facts(result, destination, moment, document),
        content="\n".join(part for part in content if part),
        script=_SCRIPT,
    )
    return text.encode()


# --- pieces of HTML


def _text(value: str) -> Html:
    """Text that stays text, whatever is in it; what nobody would see is written as its number."""
    visible = _INVISIBLE.sub(lambda match: f"\\u{ord(match.group()):04x}", value)
    return Html(html.escape(visible))


def _element(name: str, /, *content: Html, **attributes: str) -> Html:
    """An element. Attributes are escaped; ``class_`` is ``class``, and other underscores are dashes."""
    written = "".join(f' {key.strip("_").replace("_", "-")}="{_text(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{''.join(content)}</{name}>")


def _policy() -> str:
    """The Content-Security-Policy: nothing from anywhere, and of what is in the page only what is written here."""
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (_STYLE, _SCRIPT))
    return f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"


def _table(title: str, heads: Iterable[Html], rows: Iterable[Html], **attributes: str) -> Html:
    return _element(
        "table",
        _element("thead", _element("tr", *heads)),
        _element("tbody", *(Html(f"\n{row}") for row in rows)),
        aria_label=title,
        **attributes,
    )


def _head(title: str, class_: str = "") -> Html:
    return _element("th", _text(title), scope="col", class_=class_) if class_ else _element("th", _text(title), scope="col")


# --- above the tables


def _title(result: ImageSetResult) -> str:
    failed = result.count(FAILED)
    if failed:
        return f"Image set: {failed} of {_counted(len(result.images), 'image')} failed"
    if result.failures:
        return "Image set: not everything could be mirrored"
    return f"Image set: {_counted(len(result.images), 'image')} mirrored"


def _facts(result: ImageSetResult, destination: str, moment: str, document: str) -> Html:
    archive, resources = result.archive, result.resources
    facts = {
        "Workflow": _text(_MODES[result.mode]),
        "Began": _element("time", _text(moment), datetime=moment),
        "Took": _text(duration(result.elapsed)),
        "Destination": _text(destination),
        "Working directory": _text(str(result.working_dir)),
        "Images": _text(_states(result.images) or "none"),
        "Read": _text(size(result.pulled)),
        "Written": _text(size(result.pushed)),
    }
    if archive is not None and archive.changed:
        files = _counted(len(archive.paths), "file")
        facts["Archive"] = _text(f"number {archive.sequence}, {size(archive.size)} in {files}: {', '.join(map(str, archive.paths))}")
    elif archive is not None:
        facts["Archive"] = _text("nothing new, so that there is none")
    if resources.files or resources.removed:
        told = f"{_counted(len(resources.files), 'file')}, {len(resources.written)} written, {len(resources.removed)} removed"
        facts["Cluster resources"] = _text(told)
    facts["For programs"] = _element("a", _text(document), href=document)
    return _element("dl", *(Html(f"\n{_element('dt', _text(name))}{_element('dd', value)}") for name, value in facts.items()))


def _shortened(failures: Sequence[str], document: str) -> list[str]:
    more = len(failures) - _TOLD
    return [*failures[:_TOLD], *([f"{more} more: in the tables below, and in {document}"] if more > 0 else [])]


def _list(title: str, class_: str, sentences: Iterable[str]) -> Html:
    items = [Html(f"\n{_element('li', _text(sentence))}") for sentence in sentences]
    if not items:
        return Html("")
    return _element("section", _element("h2", _text(title)), _element("ul", *items, class_=class_))


def _overview(sections: Mapping[str, Sequence[MirroredImage]]) -> Html:
    if not sections:
        return Html("")
    rows = []
    for number, (title, images) in enumerate(sections.items(), 1):
        cells = [_element("th", _element("a", _text(title), href=f"#s{number}"), scope="row")]
        counts = [len(images), *(_count(images, state) for state in _STATES)]
        cells += [_element("td", _text(str(count)), class_="number") for count in counts]
        total = sum(found.outcome.size for found in images)
        cells.append(_element("td", _text(size(total)), class_="number", data_sort=str(total)))
        rows.append(_element("tr", *cells))
    titles = ("Images", *_STATES.values(), "Bytes written")
    heads = [_head("Group"), *(_head(title, "number") for title in titles)]
    return _element("section", _element("h2", _text("Overview")), _table("Overview", heads, rows))


def _filter() -> Html:
    words = Html(_element("label", _text("Find "), Html('<input name="words" type="search">')))
    options = [_element("option", _text(title), value=state) for state, title in {"": "any state", **_STATES}.items()]
    state = _element("label", _text("State "), _element("select", *options, name="state"))
    return _element("form", words, state, _element("output"), id="filter", hidden="")


# --- the tables


def _sections(images: Iterable[MirroredImage]) -> dict[str, list[MirroredImage]]:
    """Images by what they belong to, each in one place, in the order of the page."""
    found: dict[str, list[MirroredImage]] = defaultdict(list)
    for entry in images:
        found[_section_of(entry)].append(entry)

    def position(title: str) -> tuple[int, str]:
        return _ORDER.index(title if title in _ORDER else ""), title

    return {title: found[title] for title in sorted(found, key=position)}


def _section_of(found: MirroredImage) -> str:
    kind = found.image.kind
    if kind in _SECTIONS:
        return _SECTIONS[kind]
    if kind.category == "release":
        return _RELEASES
    packages = {name.partition("/")[0] for name in found.bundles}
    if len(packages) > 1:
        return _SHARED
    return f"Operator {packages.pop()}" if packages else _LONELY


def _section(number: int, title: str, images: Sequence[MirroredImage]) -> Html:
    summary = f"{_states(images)}; {size(sum(found.outcome.size for found in images))} written"
    heads = [_head("Source"), _head("Kind"), _head("Destination"), _head("State"), _head("Bytes written", "number"), _head("Needed by")]
    table = _table(title, heads, (_row(found, title) for found in images), class_="images")
    return _element("section", _element("h2", _text(title)), _element("p", _text(summary)), table, id=f"s{number}")


def _row(found: MirroredImage, section: str) -> Html:
    outcome = found.outcome
    source = found.image.source.url
    source = source[len("docker://") :] if source.startswith("docker://") else source
    digest = outcome.digest if outcome.digest not in source else ""
    cells = (
        _element("th", _text(source), _small(digest), scope="row"),
        _element("td", _text(_KINDS[found.image.kind])),
        _element("td", _text(_place(found))),
        _element("td", _text(_STATES[outcome.state]), _small(outcome.reason)),
        _element("td", _text(size(outcome.size)), data_sort=str(outcome.size)),
        _element("td", _text(_needed_by(found.bundles, section))),
    )
    return _element("tr", *cells, class_=outcome.state)


def _small(text: str) -> Html:
    return Html(f"<br>{_element('small', _text(text))}") if text else Html("")


def _place(found: MirroredImage) -> str:
    """Where an image lies in the registry, or in the archive. A tag that repeats a digest of the same row is cut."""
    place = found.outcome.destination
    tag = place.tag or ""
    algorithm, dash, value = tag.partition("-")
    if dash and f"{algorithm}:{value}" in found.image.source.written:
        tag = f"{algorithm}-{value[:_CUT]}…"
    return f"{place.repository}:{tag}" if tag else f"{place.repository}@{place.digest}"


def _needed_by(bundles: Sequence[str], section: str) -> str:
    # the heading names the operator already
    names = [name.partition("/")[2] if section == f"Operator {name.partition('/')[0]}" else name for name in bundles]
    more = f" and {len(names) - _BUNDLES} more" if len(names) > _BUNDLES else ""
    return f"{', '.join(names[:_BUNDLES])}{more}"


# --- words and numbers


def _count(images: Iterable[MirroredImage], state: str) -> int:
    return sum(found.outcome.state == state for found in images)


def _states(images: Sequence[MirroredImage]) -> str:
    """How many images ended in which state: ``1 failed, 7 copied``."""
    counts = {title.partition(" ")[2]: _count(images, state) for state, title in _STATES.items()}
    return ", ".join(f"{count} {title}" for title, count in counts.items() if count)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def size(count: int) -> str:
    """Bytes in units that people read: ``1.4 GiB``."""
    if count < 1000:
        return f"{count} B"
    number = count / 1024
    for unit in ("KiB", "MiB", "GiB"):
        if number < 1000:
            return f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds as people read them: ``2 h 5 min``, ``3 min 12 s``, ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
