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
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import specs
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import (
    AdditionalImage,
    ImageSet,
    OperatorCatalog,
    Package,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteResult
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult, Mode
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


IMAGE_SETS = (DOCS / "image_mirror.md", ROOT / "roles/image_set/README.md", ROOT / "README.md", ROOT / "plugins/modules/image_mirror.py")


def image_sets(value: Any) -> Iterator[dict[str, Any]]:
    """The image sets in an example, wherever in it."""
    if isinstance(value, dict) and value.get("kind") in ("ImageSetConfiguration", "DeleteImageSetConfiguration"):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from image_sets(item)


def test_the_image_sets_of_the_pages_are_right() -> None:
    found = [document for page in IMAGE_SETS[:-1] for example in examples(page) for document in image_sets(example)]
    module = ast.parse(IMAGE_SETS[-1].read_text())
    texts = [node.value.value for node in module.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    found += image_sets([yaml.safe_load(text) for text in texts])
    assert len(found) >= 6
    for document in found:
        assert load_image_set(document).kind == document["kind"]


def test_the_page_about_image_sets_names_every_field_and_marks_our_own() -> None:
    page = (DOCS / "image_mirror.md").read_text()
    table = page.partition("| field | what it says |")[2].partition("\n\n")[0]
    for model in (ImageSet, OperatorCatalog, Package, AdditionalImage):
        for spec in specs(model).values():
            assert re.search(rf"`[\w.\[\]]*\b{spec.key}\b[\w.\[\]]*`", table), f"{model.__name__}: {spec.key}"
            assert spec.own == bool(re.search(rf"\*`[\w.\[\]]*\b{spec.key}`\*", table)), f"{model.__name__}: {spec.key}"


# Options of image_mirror that an image set has no use for
OF_IMAGES = {"images", "discover", "tags", "exclude_tags", "skip_broken", "shard", "progress_file"}


def test_the_role_hands_on_every_option_that_is_about_image_sets() -> None:
    tasks = (ROOT / "roles/image_set/tasks/workflow.yml").read_text()
    options = {**options_of(ROOT / "plugins/modules/image_mirror.py"), **options_of(ROOT / "plugins/doc_fragments/registries.py")}
    for name in options.keys() - OF_IMAGES:
        assert re.search(rf"^ +{name}: ", tasks, re.MULTILINE), name


def test_the_page_about_image_sets_names_every_option_that_is_about_them() -> None:
    page = (DOCS / "image_mirror.md").read_text()
    table = page.partition("\n## Options\n")[2].partition("\n\nOptions that contradict")[0]
    named = {name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    options = options_of(ROOT / "plugins/modules/image_mirror.py")
    assert named == options.keys() - OF_IMAGES | {"registries_conf"}


def test_every_result_of_an_image_set_is_documented() -> None:
    module = ast.parse((ROOT / "plugins/modules/image_mirror.py").read_text())
    (text,) = [
        node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN" and isinstance(node.value, ast.Constant)
    ]
    documented = yaml.safe_load(text)
    told = {**ImageSetResult(Mode.MIRROR_TO_DISK, Path("working-dir")).as_results(), **DeleteResult().as_results()}
    # what every module has
    assert told.keys() - {"changed", "diff"} <= documented.keys()
    assert told["archive"].keys() == documented["archive"]["contains"].keys()
    assert told["cluster_resources"].keys() == documented["cluster_resources"]["contains"].keys()


def test_every_playbook_is_told_of_in_the_readme() -> None:
    page = (ROOT / "README.md").read_text()
    for playbook in (ROOT / "playbooks").glob("*.yml"):
        assert re.search(rf"`(quayside\.airgap\.)?{playbook.stem}`", page), playbook.stem
