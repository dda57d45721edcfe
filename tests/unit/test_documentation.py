# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says about modules and documents is what they do."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.document import check_document
from ansible_collections.quayside.airgap.tests.tools import quay_document

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WRITTEN_BY = "run `make docs`"


def options_of(path: Path) -> dict[str, Any]:
    """The options of a module or of a part of a documentation fragment, and their aliases."""
    found: dict[str, Any] = {}
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant) and "options:" in str(statement.value.value):
            options = yaml.safe_load(statement.value.value).get("options", {})
            for name, option in options.items():
                found[name] = option
                found.update(dict.fromkeys(option.get("aliases", ()), option))
    return found


def examples(page: Path) -> Iterator[Any]:
    """Every YAML block of a page."""
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        yield yaml.safe_load(block)


def test_the_schema_and_the_tables_of_the_document_are_those_of_the_code() -> None:
    assert (DOCS / "quay_state.schema.json").read_text() == quay_document.schema_text(), WRITTEN_BY
    page = (DOCS / "quay_state.md").read_text()
    assert page == quay_document.with_tables(page), WRITTEN_BY


def test_the_schema_agrees_with_the_code_on_the_documents_of_the_page() -> None:
    schema = json.loads((DOCS / "quay_state.schema.json").read_text())
    documents = [example for example in examples(DOCS / "quay_state.md") if isinstance(example, dict) and "organizations" in example]
    assert documents
    for document in documents:
        jsonschema.validate(document, schema)
        check_document(document)


@pytest.mark.parametrize(
    "document",
    [
        {"organisations": []},
        {"organizations": [{"robots": []}]},
        {"organizations": [{"name": "prod", "teams": [{"name": "dev", "role": "boss"}]}]},
        {"organizations": [{"name": "prod", "repositories": {"name": "app"}}]},
    ],
)
def test_the_schema_agrees_with_the_code_on_what_is_wrong(document: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads((DOCS / "quay_state.schema.json").read_text()))
    with pytest.raises(AirgapError):
        check_document(document)


MIGRATION = (DOCS / "migration.md").read_text()
HEADING = re.compile(r"^### `(quay_\w+)` (?:→|->) (.+)$", re.MULTILINE)


def migrations() -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Of each module in docs/migration.md: its name, our modules that do the same, the rows of its table."""
    parts = HEADING.split(MIGRATION)[1:]
    for old, ours, text in zip(parts[::3], parts[1::3], parts[2::3]):
        text = text.partition("\n## ")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")]
        yield old, re.findall(r"`(\w+)`", ours), rows


def test_the_modules_and_options_to_migrate_to_exist() -> None:
    common = options_of(ROOT / "plugins/doc_fragments/quay.py")
    seen = []
    for old, modules, rows in migrations():
        seen.append(old)
        for module in modules:
            options = {**common, **options_of(ROOT / f"plugins/modules/{module}.py")}
            for row in rows:
                for name in re.findall(r"`(\w+)`", row[1]):
                    assert name in options, f"{old}: {module} has no option {name}"
    assert len(seen) == len(set(seen)) == 31


def test_every_module_of_ours_for_quay_is_in_the_migration_guide_or_new() -> None:
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("quay_*.py")}
    told = set(re.findall(r"`(quay_\w+)`", MIGRATION))
    assert modules <= told, f"docs/migration.md does not speak of {sorted(modules - told)}"
