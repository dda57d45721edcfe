# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog as an image, between real registries: what we push, skopeo and podman read, and what they copied, we read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.certification.packaging import PackTask, package
from ansible_collections.quayside.airgap.plugins.module_utils.certification.transfer import Reach, fetch_dump
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.support.catalog_dumps import OCT, files_of, published, write_dump
from ansible_collections.quayside.airgap.tests.support.docker_registry import TEST_PASSWORD, TEST_USER, DockerRegistry
from ansible_collections.quayside.airgap.tests.support.images import Placement, push_all

OPEN = SideOptions(TlsSettings(verify=False))
QUICK = WireOptions(retries=0)
MODULE = "quayside.airgap.catalog_image"


def program(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed (Debian package {name})")


def call(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def packs(play: Any, place: Path, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """What came of these tasks, each of which may fail."""
    calls = []
    for number, options in enumerate(tasks):
        check = options.pop("check", False)
        given = {"destination_validate_certs": False, "retries": 0, **options}
        calls.append({"name": f"Task {number}", MODULE: given, "check_mode": check, "ignore_errors": True})
    playbook = place / "pack.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": calls}]))
    run = play({"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}, playbook=str(playbook))
    assert "Traceback" not in run.output
    assert "unforeseen" not in run.output
    return [entry["result"] for entry in run.succeeded().tasks if entry["module"] == MODULE]


def fetched(source: str, credentials: Credentials | None = None) -> dict[str, bytes]:
    """What arrives on the other side."""
    with tempfile.TemporaryDirectory() as work:
        reach = Reach(SideOptions(OPEN.tls, credentials), QUICK, "")
        return files_of(fetch_dump(source, Path(work), reach).folder / "data")


@contextmanager
def little_disk(place: Path) -> Iterator[Path]:
    """A file system with room for four kilobytes."""
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place)], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        call("umount", str(place))


def test_pushed_once_and_read_by_skopeo(play, docker_registries, tmp_path):
    registry, other = docker_registries
    dump = write_dump(tmp_path / "dump")
    name, archive = f"{registry.host}/catalog/pushed:v1", tmp_path / "catalog.tar"
    task = {"path": str(dump), "destination": [name], "archive": str(archive)}
    foretold, done, again = packs(play, tmp_path, {**task, "check": True}, task, task)
    assert (foretold["digest"], foretold["size"]) == (done["digest"], done["size"])
    assert [(result["changed"], result["destinations"][0]["state"]) for result in (foretold, done, again)] == [
        (True, "pushed"),
        (True, "pushed"),
        (False, "unchanged"),
    ]
    assert registry.verify() == []
    assert registry.tags("catalog/pushed") == {"v1": done["digest"]}

    skopeo = program("skopeo")
    shown = json.loads(call(skopeo, "inspect", "--tls-verify=false", f"docker://{name}"))
    assert shown["Digest"] == done["digest"]
    for kind, digest in done["dump"]["digests"].items():
        assert shown["Labels"][f"quayside.airgap.catalog.digest.{kind}"] == digest
    # the file that crossed the gap gives the same image on the other side, whoever pushes it
    far = f"docker://{other.host}/catalog/carried:v1"
    call(skopeo, "copy", "-q", "--all", "--dest-tls-verify=false", f"oci-archive:{archive}:v1", far)
    assert other.tags("catalog/carried") == {"v1": done["digest"]}
    call(skopeo, "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci-archive:{tmp_path / 'theirs.tar'}:v1")
    call(skopeo, "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path / 'theirs'}:v1")
    files = files_of(dump / "data")
    for source in (far, f"docker://{name}@{done['digest']}", str(archive), str(tmp_path / "theirs.tar"), f"oci:{tmp_path / 'theirs'}:v1"):
        assert fetched(source) == files, source


@pytest.mark.skipif(os.geteuid() != 0, reason="podman without root needs a configured user namespace")
def test_podman_copies_the_dump_out_of_it(play, docker_registries, tmp_path):
    podman = program("podman")
    registry, _other = docker_registries
    dump = write_dump(tmp_path / "dump")
    name, archive = f"{registry.host}/catalog/podman:v1", tmp_path / "catalog.tar"
    (done,) = packs(play, tmp_path, {"path": str(dump), "destination": [name], "archive": str(archive)})
    assert done["changed"]
    files = files_of(dump / "data")
    # podman takes no long paths here
    with tempfile.TemporaryDirectory() as folder:
        command = [podman, "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        call(*command, "pull", "-q", "--tls-verify=false", name)
        loaded = call(*command, "load", "-q", "-i", str(archive)).rpartition(": ")[2].strip()
        for image in (name, loaded):
            container = call(*command, "create", image).strip()
            for number, path in enumerate((OCT, "data")):
                target = tmp_path / f"out-{number}-{container[:8]}"
                call(*command, "cp", f"{container}:/{path}", str(target))
                assert files_of(target) == files
            call(*command, "rm", container)
        saved = call(*command, "create", name).strip()
        call(*command, "export", "-o", str(tmp_path / "exported.tar"), saved)
        call(*command, "rm", saved)
        place = Path(call(*command, "image", "mount", name).strip())
        modes = {oct(path.stat().st_mode & 0o777) for path in (place / "data").rglob("*") if path.is_file()}
        pairs = [((place / OCT / path).stat().st_ino, (place / "data" / path).stat().st_ino) for path in files]
        call(*command, "image", "umount", "-a")
    assert modes == {"0o644"}
    # one file under two names, even where it was unpacked
    assert all(one == two for one, two in pairs)
    assert fetched(str(tmp_path / "exported.tar")) == files


def test_the_published_image_is_read_as_well(docker_registries, tmp_path):
    registry, _other = docker_registries
    dump = write_dump(tmp_path / "dump")
    image = published(dump)
    push_all(registry.url, [Placement("catalog/published", "latest", image)])
    files = files_of(dump / "data")
    assert fetched(f"docker://{registry.host}/catalog/published") == files
    assert fetched(f"docker://{registry.host}/catalog/published@{image.digest}") == files
    with pytest.raises(AirgapError, match="404 MANIFEST_UNKNOWN"):
        fetched(f"docker://{registry.host}/catalog/published:gone")


def test_what_goes_wrong_is_one_sentence(play, tmp_path):
    dump, broken = write_dump(tmp_path / "dump"), write_dump(tmp_path / "broken")
    (broken / "data/helm/helm.db").write_text("<html>404</html>")
    with DockerRegistry(tmp_path / "locked", htpasswd={TEST_USER: TEST_PASSWORD}) as locked:
        names = {"destination": [f"{locked.host}/lab/catalog:v1"], "destination_username": TEST_USER}
        refused, broken_dump, pushed = packs(
            play,
            tmp_path,
            {"path": str(dump), **names, "destination_password": "not-the-password"},
            {"path": str(broken), **names, "destination_password": TEST_PASSWORD},
            {"path": str(dump), **names, "destination_password": TEST_PASSWORD},
        )
        wanted = f"Could not read the manifest of {locked.host}/lab/catalog:v1: the registry answered 401 UNAUTHORIZED"
        assert refused["msg"].startswith(wanted)
        assert f"Check the credentials of '{TEST_USER}'" in refused["msg"]
        assert "not-the-password" not in refused["msg"]
        assert broken_dump["msg"].startswith(f"Could not use the dump {broken}: helm/helm.db: ")
        assert pushed["changed"]
        assert fetched(f"docker://{locked.host}/lab/catalog:v1", Credentials(TEST_USER, TEST_PASSWORD)) == files_of(dump / "data")


def test_a_registry_that_lets_nobody_write_is_told_as_such(tmp_path):
    (tmp_path / "work").mkdir()
    with DockerRegistry(tmp_path / "sealed", read_only=True) as sealed:
        task = PackTask(str(write_dump(tmp_path / "dump")), [f"{sealed.host}/lab/catalog:v1"], destination=OPEN, wire=QUICK)
        result = package(task, tmp_path / "work")
    assert "the registry answered 405 (Method not allowed). The registry lets nobody write: it was set to be" in result.message()


def test_a_full_disk_is_told_and_keeps_what_it_had(tmp_path):
    dump = write_dump(tmp_path / "dump")
    (tmp_path / "work").mkdir()
    with little_disk(tmp_path / "disk") as disk:
        with pytest.raises(FileError, match=rf"^Could not write {disk}/catalog\.tar: No space left on device\.$"):
            package(PackTask(str(dump), archive=f"{disk}/catalog.tar"), tmp_path / "work")
        assert os.listdir(disk) == []
