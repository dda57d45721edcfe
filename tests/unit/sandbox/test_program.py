# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox as a program of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml

from ansible_collections.quayside.airgap.tests.sandbox import program
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT

SANDBOX = Path(program.__file__).parent

CONFIGURATION = """
instances:
  quay:
    kind: registry
    auth: token
    users: {bot: {password: secret, grants: {"team/*": "pull,push"}}}
    tls: certificates
    storage: content
  plain:
    kind: registry
    faults: [{method: GET, path: /v2/, kind: status, status: 429, retry_after: 1}]
  far:
    kind: proxy
    upstream: plain
    delay: 0.05
  certified:
    kind: catalog
    images: 30
    changes: [{after: 1, images: {remove: 4}}]
"""


def test_several_instances_in_one_process(tmp_path: Path) -> None:
    config, ready = tmp_path / "sandbox.yml", tmp_path / "ready.json"
    config.write_text(CONFIGURATION)
    # As from a checkout: the folder itself is the program, and nothing tells Python where the collection lies.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(SANDBOX), "--config", str(config), "--ready-file", str(ready)]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path)
    try:
        deadline = time.monotonic() + TIME_LIMIT
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        described = json.loads(ready.read_text())
        assert described["pid"] == process.pid
        quay, plain, far = (described["instances"][name] for name in ("quay", "plain", "far"))
        assert requests.get(quay["url"] + "/v2/", verify=quay["ca"], timeout=TIME_LIMIT).status_code == 401
        assert requests.get(plain["url"] + "/v2/", timeout=TIME_LIMIT).status_code == 429
        began = time.monotonic()
        assert requests.get(far["url"] + "/v2/", timeout=TIME_LIMIT).status_code == 200
        assert time.monotonic() - began >= 0.05
        assert (tmp_path / "content").is_dir()
        images = described["instances"]["certified"]["api_url"] + "/images?filter=certified==true;isv_pid!=null&include=total"
        assert [requests.get(images, timeout=TIME_LIMIT).json() for _time in range(2)] == [{"total": 30}, {"total": 26}]
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(TIME_LIMIT) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(plain["url"] + "/v2/", timeout=TIME_LIMIT)


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ({}, "no instances"),
        ({"a": {"kind": "harbor"}}, "a: kind is 'harbor', must be one of catalog, proxy, quay, registry"),
        ({"a": {"kind": "registry", "colour": "red"}}, "a: unknown registry options: colour"),
        ({"a": {"kind": "registry", "faults": [{"method": "GET", "path": "/", "kind": "x"}]}}, "a: unknown fault 'x'"),
        ({"a": {"kind": "catalog", "colour": "red"}}, "a: unknown catalog options: colour"),
        ({"a": {"kind": "catalog", "changes": [{"before": 3}]}}, "a: unknown changes: before"),
        ({"a": {"kind": "proxy"}}, "a: a proxy needs upstream or upstream_port"),
        (
            {"a": {"kind": "registry", "tls": "certificates"}, "b": {"kind": "proxy", "upstream": "a"}},
            "b: upstream 'a' speaks https, a proxy forwards http only",
        ),
        ({"a": {"kind": "proxy", "upstream": "b"}}, "a: upstream 'b' is not an instance above this one"),
    ],
)
def test_mistakes_in_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, instances: dict[str, object], message: str
) -> None:
    config = tmp_path / "sandbox.yml"
    config.write_text(yaml.safe_dump({"instances": instances}))
    monkeypatch.setattr(signal, "signal", lambda *_details: None)
    assert program.main(["--config", str(config)]) == 2
    assert message in capsys.readouterr().err


def test_the_lifetime_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "sandbox.yml"
    config.write_text("instances: {only: {kind: registry}}")
    monkeypatch.setattr(signal, "signal", lambda *_details: None)
    assert program.main(["--config", str(config), "--lifetime", "0.01"]) == 0
    assert json.loads(capsys.readouterr().out)["instances"]["only"]["kind"] == "registry"
