# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the collection at work: fills a registry, has the sync playbook copy it to another, and again, and pulls back; then mirrors an
image set to disk and from disk, and both again; then refreshes the offline catalog, takes it across, and both again.

Ends with status 1 when anything is not as it should be.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import yaml

from ansible_collections.quayside.airgap.tests.integration.playbooks import SYNC, Player, Run, sides
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, find_docker_registry
from ansible_collections.quayside.airgap.tests.support.images import (
    Placement,
    cosign_signature,
    cosign_tag,
    file_layer,
    image,
    index,
    layer,
    multi_arch,
    push_all,
)
from ansible_collections.quayside.airgap.tests.support.operator_shop import AGENT, TOOL, OperatorShop

MIB = 1 << 20
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")
Registry = Union[DockerRegistry, SandboxRegistry]


@dataclass
class Timed:
    """A run of the playbook.

    seconds   from the start of ansible-playbook to its end
    """

    run: Run
    seconds: float


def placements() -> list[Placement]:
    """What a small shop has: a base that most images share, several platforms, a signature, an older and a newer version."""
    base = layer("demo/base", 4 * MIB)
    web = [image([base, layer(f"demo/web/{version}", MIB)]) for version in ("1.4", "1.5")]
    tool = index([image([layer(f"demo/tool/{name}", MIB)], platform=name) for name in PLATFORMS])
    return [
        Placement("shop/web", "1.4", web[0]),
        Placement("shop/web", "1.5", web[1]),
        Placement("shop/web", cosign_tag(web[1].digest), cosign_signature(web[1])),
        Placement("shop/db", "16", image([base, layer("demo/db", 2 * MIB)])),
        Placement("shop/db", "16-debug", image([base, layer("demo/db", 2 * MIB), file_layer({"bin/gdb": b"no debugger"})])),
        Placement("tools/cli", "2", tool),
        Placement("tools/agent", "7", multi_arch("demo/agent", PLATFORMS, size=300_000, attestations=True)),
        Placement("tools/old", "1", image([layer("demo/old", MIB, fmt="docker")], fmt="docker")),
        Placement("shop/web-dev", "nightly", image([base, layer("demo/web/dev", MIB)])),
    ]


def wanted(placed: list[Placement]) -> dict[str, str]:
    """Name -> digest of what the variables of the demo select."""
    return {f"{item.repository}:{item.tag}": item.image.digest for item in placed if not item.repository.endswith("-dev")}


def start(stack: ExitStack, folder: Path) -> tuple[Registry, Registry]:
    real = find_docker_registry() is not None
    source, destination = (
        stack.enter_context(DockerRegistry(folder / name) if real else SandboxRegistry()) for name in ("source", "destination")
    )
    kind = "docker-registry" if real else "the sandbox of this repository (docker-registry is not installed)"
    print(f"Two registries, {kind}: {source.host} is read, {destination.host} is written.")
    return source, destination


def fill(source: Registry) -> list[Placement]:
    placed = placements()
    push_all(source.url, placed)
    blobs = {digest: found.size for item in placed for digest, found in item.image.all_blobs().items()}
    repositories = {item.repository for item in placed}
    print(
        f"Filled the first one: {len(repositories)} repositories, {len(placed)} tags, {len(blobs)} blobs, {readable(sum(blobs.values()))}."
    )
    return placed


def carry_out(play: Player, variables: dict[str, Any], playbook: str = SYNC) -> Timed:
    """Run a playbook, and show what it told."""
    begin = time.monotonic()
    run = play(variables, playbook=playbook)
    seconds = time.monotonic() - begin
    if run.status != 0:
        sys.exit(f"The playbook failed:\n{run.output}")
    told = [entry["result"]["msg"] for entry in run.tasks if entry["module"] == "ansible.builtin.debug" and "msg" in entry["result"]]
    print(f"\n$ ansible-playbook {playbook} -e @vars.yml")
    for text in told:
        print(textwrap.indent("\n".join([text] if isinstance(text, str) else text), "  "))
    print(f"  {next(line for line in run.output.splitlines() if line.startswith('localhost') and 'changed=' in line)}")
    return Timed(run, seconds)


def pull_back(place: str, digest: str) -> list[str]:
    """Have another program read an image, all its layers and platforms; returns what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("skopeo"):
            command = ["skopeo", "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{place}", f"dir:{folder}/image"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found = f"sha256:{hashlib.sha256(Path(folder, 'image/manifest.json').read_bytes()).hexdigest()}" if done.returncode == 0 else ""
        elif shutil.which("podman"):
            podman = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
            done = subprocess.run([*podman, "pull", "-q", "--tls-verify=false", place], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                command = [*podman, "image", "inspect", "--format", "{{.RepoDigests}}", place]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            found = digest if digest in done.stdout else done.stdout.strip()
        else:
            print("\nLeft out: pulling an image back. Neither skopeo nor podman is installed.")
            return []
    if done.returncode != 0:
        return [f"{place} could not be pulled back: {done.stderr.strip()}"]
    program = "skopeo" if shutil.which("skopeo") else "podman"
    print(f"\nPulled back with {program}: {place}")
    print(f"  {found}, {'the digest of the source' if found == digest else f'but the source has {digest}'}")
    return [] if found == digest else [f"{place} has the digest {found} instead of {digest}"]


def _repositories(registry: Registry) -> list[str]:
    return registry.repositories() if isinstance(registry, DockerRegistry) else registry.repositories


def problems(first: Timed, second: Timed, destination: Registry, expected: dict[str, str]) -> list[str]:
    """What is not as it should be, as sentences."""
    found = []
    there = {
        f"{repository.removeprefix('copy/')}:{tag}": digest
        for repository in _repositories(destination)
        for tag, digest in destination.tags(repository).items()
    }
    for name in sorted(expected.keys() | there.keys()):
        if expected.get(name) != there.get(name):
            found.append(f"{name} is {there.get(name, 'missing')} at the destination, should be {expected.get(name, 'missing')}")
    found += destination.verify()
    if first.run.changed != 1:
        found.append(f"the first run reports changed={first.run.changed}")
    if second.run.changed != 0 or second.run.totals["bytes_pushed"]:
        found.append(f"the second run reports changed={second.run.changed} and {second.run.totals['bytes_pushed']} bytes")
    return found


def table(first: Timed, second: Timed, place: str) -> None:
    again = {entry["destination"]: entry for entry in second.run.images}
    rows = [("image", "digest", "first run", "second run")]
    for entry in first.run.images:
        name = entry["destination"]
        along = f" +{len(entry['companions'])} signature" if entry["companions"] else ""
        moved = f"{entry['state']}{along}, {readable(entry['bytes'])}"
        rows.append((name.removeprefix(f"{place}/"), entry["digest"][:19], moved, again[name]["state"]))
    for label, count in (
        ("copied", "copied"),
        ("unchanged", "unchanged"),
        ("blobs moved", "blobs_moved"),
        ("blobs linked", "blobs_mounted"),
    ):
        rows.append((label, "", str(first.run.totals[count]), str(second.run.totals[count])))
    rows.append(("bytes", "", *(readable(timed.run.totals["bytes_pushed"]) for timed in (first, second))))
    rows.append(("seconds copying", "", *(f"{timed.run.mirror['totals']['elapsed']:.2f}" for timed in (first, second))))
    rows.append(("seconds in all", "", *(f"{timed.seconds:.2f}" for timed in (first, second))))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    rule = "-" * (sum(widths) + 6)
    print()
    for position, row in enumerate(rows):
        if position in (1, 1 + len(first.run.images)):
            print(rule)
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def across_the_gap(play: Player, folder: Path, source: Registry, destination: Registry) -> list[str]:
    """Mirror an image set to disk and from disk, twice each; returns what is wrong."""
    shop = OperatorShop(source.host, size=MIB // 2)
    push_all(source.url, shop.placements())
    image_set = shop.image_set("web-operator", images=[TOOL, AGENT])
    (folder / "imageset.yml").write_text(yaml.safe_dump(image_set, sort_keys=False))
    print("\nAn image set: one operator of a catalog that has two, and two images. imageset.yml:")
    print(textwrap.indent(yaml.safe_dump(image_set["mirror"], sort_keys=False), "  "), end="")
    given = {
        "configuration": str(folder / "imageset.yml"),
        "folder": str(folder / "medium"),
        "destination": f"{destination.host}/mirror",
        "source_validate_certs": False,
        "destination_validate_certs": False,
    }
    variables = {f"image_set_{name}": value for name, value in given.items()}
    playbooks = ["quayside.airgap.mirror_to_disk", "quayside.airgap.disk_to_mirror"]
    changed = [carry_out(play, variables, playbook).run.changed for _time in range(2) for playbook in playbooks]
    found = [] if changed == [1, 1, 0, 0] else [f"the four runs of the image set report changed={changed}"]
    there = {digest for name in _repositories(destination) if name.startswith("mirror/") for digest in destination.tags(name).values()}
    wanted = [shop.tool(), shop.agent(), *(shop.operand("web-operator", version) for version in ("1.2.0", "2.0.0"))]
    found += [f"{image.digest} of the image set is missing at the destination" for image in wanted if image.digest not in there]
    if shop.operand("db-operator", "0.9.0").digest in there:
        found.append("an operator that is not in the image set is at the destination")
    return found + destination.verify()


def offline_catalog(play: Player, folder: Path, destination: Registry) -> list[str]:
    """Refresh the catalog, push it, take it to the other side and look something up, all of it twice; returns what is wrong."""
    options = CatalogOptions(images=2400, organizations={"certified-operators": 900}, charts=300, duplicates=20, tie_groups=4)
    with SandboxCatalog(options) as catalog:
        truth = catalog.truth()
        digest = next(key for key in truth.containers if key.startswith("sha256:"))
        operator = truth.operators[0][0]
        place = f"{destination.host}/certification/offline-catalog:latest"
        print("\nThe catalog of certified artifacts, where there is a network, and behind the gap.")
        connected = {
            "path": str(folder / "connected"),
            "api_url": catalog.api_url,
            "helm_index_url": catalog.index_url,
            "destinations": place,
            "destination_validate_certs": False,
        }
        behind = {
            "workflow": "unpack",
            "source": f"docker://{place}",
            "path": str(folder / "behind"),
            "source_validate_certs": False,
            "check_containers": [f"registry.lab.example/app@{digest}", "registry.lab.example/app:not-certified"],
            "check_operators": operator,
        }
        sides = [{f"offline_catalog_{name}": value for name, value in values.items()} for values in (connected, behind)]
        runs = [carry_out(play, variables, "quayside.airgap.offline_catalog").run for _time in range(2) for variables in sides]
    changed = [run.changed for run in runs]
    found = [] if changed == [2, 1, 0, 0] else [f"the four runs of the offline catalog report changed={changed}"]
    keys = json.loads((folder / "behind/data/containers/containers.db").read_text()).keys()
    if keys != truth.containers.keys() | truth.aliases.keys():
        found.append("behind the gap there are other containers than in the catalog")
    (answers,) = runs[-1].by_host("quayside.airgap.catalog_lookup").values()
    if (answers["counts"]["certified"], answers["uncertified"]) != (2, ["registry.lab.example/app:not-certified"]):
        found.append(f"the catalog behind the gap says that {answers['uncertified']} are not certified")
    return found + destination.verify()


def readable(size: int) -> str:
    return f"{size / MIB:.1f} MiB" if size >= MIB else f"{size / 1024:.1f} KiB" if size else "0"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="airgap-demo-") as name, ExitStack() as stack:
        folder = Path(name)
        source, destination = start(stack, folder)
        placed = fill(source)
        place = f"{destination.host}/copy"
        variables = sides(source.host, [place], discover={"exclude": ["*-dev"]})
        print("\nvars.yml:")
        print(textwrap.indent(yaml.safe_dump(variables, sort_keys=False), "  "), end="")
        play = Player(folder)
        first, second = carry_out(play, variables), carry_out(play, variables)
        expected = wanted(placed)
        wrong = problems(first, second, destination, expected)
        wrong += pull_back(f"{place}/tools/cli:2", expected["tools/cli:2"])
        table(first, second, place)
        wrong += across_the_gap(play, folder, source, destination)
        wrong += offline_catalog(play, folder, destination)
    print()
    for sentence in wrong:
        print(f"Wrong: {sentence}")
    if not wrong:
        print("All is well: every digest is the source's, every blob was hashed again at the destination, the second run changed nothing.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
