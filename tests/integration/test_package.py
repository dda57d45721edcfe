# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball that users get: it installs without a network, and carries what they need and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The root of an ansible_collections tree with nothing but the tarball installed in it."""
    folder = tmp_path_factory.mktemp("package")

    def galaxy(*arguments):
        command = ["ansible-galaxy", "collection", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder)})

    galaxy("build", str(ROOT), "--output-path", str(folder))
    (tarball,) = folder.glob("quayside-airgap-*.tar.gz")
    galaxy("install", str(tarball), "--offline", "-p", str(folder))
    return folder


def test_it_carries_what_users_need_and_nothing_else(installed):
    present = {path.name for path in (installed / "ansible_collections/quayside/airgap").iterdir()}
    needed = {"LICENSE", "README.md", "MANIFEST.json", "FILES.json", "meta", "plugins", "bindep.txt", "requirements.txt"}
    optional = {"CHANGELOG.md", "changelogs", "docs", "playbooks", "roles"}
    assert needed <= present
    assert present <= needed | optional


def test_it_documents_every_module(installed):
    listing = subprocess.run(
        ["ansible-doc", "--list", "--json", "quayside.airgap"],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(installed)},
    )
    modules = {f"quayside.airgap.{path.stem}" for path in (ROOT / "plugins/modules").glob("*.py")}
    assert set(json.loads(listing.stdout)) == modules
