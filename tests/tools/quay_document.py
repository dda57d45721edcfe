# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what the documentation says about the fields of quay_state's document: the JSON schema and the tables.

python tests/tools/quay_document.py DOCS     # the folder docs of a checkout
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.quay.document import document_schema, section_fields
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.sections import REGISTRY_SECTIONS, Section

BEGIN, END = "<!-- fields: begin -->\n", "<!-- fields: end -->\n"


def schema_text() -> str:
    """Content of docs/quay_state.schema.json."""
    return json.dumps(document_schema(), indent=2) + "\n"


def with_tables(page: str) -> str:
    """The page docs/quay_state.md with its tables renewed."""
    before, _begin, rest = page.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return before + BEGIN + "\n" + "\n".join(tables(REGISTRY_SECTIONS)) + "\n" + END + after


def tables(sections: Sequence[Section], around: str = "") -> Iterator[str]:
    """A heading and a table for each section."""
    for section in sections:
        place = f"{around}{section.name}{'[]' if section.many else ''}"
        yield f"### `{place}`\n"
        yield f"{section.description}\n"
        yield "| field | type | meaning |"
        yield "| --- | --- | --- |"
        inner = {entry.name for entry in section.sections}
        for field in section_fields(section):
            if field.name not in inner:
                yield from rows(field)
        yield ""
        yield from tables(section.sections, f"{place}.")


def rows(field: Field, around: str = "") -> Iterator[str]:
    """The row of a field, and those of the fields within."""
    kind = field.type
    if field.type == "list" and field.of is not None:
        kind = f"list of {field.of.type}"
    notes = [field.description]
    if field.required:
        notes.append("Required.")
    if field.choices:
        notes.append("One of " + ", ".join(f"`{choice}`" for choice in field.choices) + ".")
    if field.default is not None and field.name != "state":
        notes.append(f"Default: `{json.dumps(field.default)}`.")
    if field.secret:
        notes.append("Cannot be read back from Quay.")
    text = " ".join(note for note in notes if note).replace("|", "\\|")
    yield f"| `{around}{field.name}` | {kind} | {text} |"
    within = field.of.fields if field.of is not None else field.fields
    for entry in within:
        yield from rows(entry, f"{around}{field.name}.")


def main(arguments: Sequence[str]) -> int:
    """Write both files."""
    docs = Path(arguments[0])
    (docs / "quay_state.schema.json").write_text(schema_text())
    page = docs / "quay_state.md"
    page.write_text(with_tables(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
