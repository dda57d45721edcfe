# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a real registry, Debian's docker-registry, on loopback for the length of a test, and reads its storage."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
import yaml

from ansible_collections.quayside.airgap.tests.support.certs import Certificates

BINARY = "docker-registry"
# A header that tells the answers of one registry process from those of others.
MARK = "X-Test-Registry"
MISSING = f"{BINARY} is not installed (Debian package docker-registry)"

# A user whose password hash is written down, so that tests with a login need neither bcrypt nor htpasswd.
# bcrypt cost 4 (the lowest): the registry verifies it again on every request.
TEST_USER = "sandbox"
TEST_PASSWORD = "sandbox-password"
KNOWN_HASHES = {TEST_PASSWORD: "$2y$04$MoAANo9d0Fv/vBTlG.1GdOIJ4AYS6v2Z/dI0gtmBi6vwO0qPmhEyu"}


class ProgramMissing(RuntimeError):
    """A program that a test needs is not installed; the message names it and where to get it."""


def find_docker_registry() -> Path | None:
    """Path of the docker-registry binary, or None when it is not installed."""
    found = shutil.which(BINARY)
    return Path(found) if found else None


def require_docker_registry() -> Path:
    """Path of the binary; without it the running pytest test is skipped with the reason, elsewhere ProgramMissing."""
    found = find_docker_registry()
    if found is None:
        if "pytest" in sys.modules:
            import pytest

            pytest.skip(MISSING, allow_module_level=True)
        raise ProgramMissing(MISSING)
    return found


def bcrypt_hash(password: str) -> str:
    """A bcrypt hash of `password`: the known one of TEST_PASSWORD, else by the bcrypt module, else by htpasswd."""
    if password in KNOWN_HASHES:
        return KNOWN_HASHES[password]
    try:
        bcrypt = importlib.import_module("bcrypt")
    except ImportError:
        pass
    else:
        return str(bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode())
    if shutil.which("htpasswd") is None:
        raise ProgramMissing("neither the bcrypt module nor htpasswd (Debian package apache2-utils) is installed")
    done = subprocess.run(  # -i reads the password from stdin, so that it does not show in the process list
        ["htpasswd", "-niBC", "4", "user"], input=password.encode(), capture_output=True, check=True
    )
    return done.stdout.decode().strip().split(":", 1)[1]


class DockerRegistry:
    """A docker-registry process on 127.0.0.1 with its data under `storage`; use it as a context manager.

    storage       directory for the data, the configuration and the log; kept when the registry stops
    delete        whether manifests and blobs may be deleted
    htpasswd      user -> password; None leaves the registry open
    tls           certificates to serve https with; `client_certificates` also demands one from the client
    proxy_cache_of  URL of a registry to be a pull-through cache of
    relative_urls whether upload Locations are relative (the benchmark's proxy needs it); False: absolute, from Host
    read_only     refuse writes with 405
    foreign_urls  accept manifests with foreign layers (layers that name http(s) URLs)
    descriptor_cache  keep blob descriptors in memory as the Debian package does; off, the disk is the only truth
    """

    def __init__(
        self,
        storage: Path,
        *,
        delete: bool = True,
        htpasswd: Mapping[str, str] | None = None,
        tls: Certificates | None = None,
        client_certificates: bool = False,
        proxy_cache_of: str | None = None,
        relative_urls: bool = True,
        read_only: bool = False,
        foreign_urls: bool = True,
        descriptor_cache: bool = False,
        port: int = 0,
    ) -> None:
        self.storage = storage
        self.delete = delete
        self.htpasswd = dict(htpasswd) if htpasswd else None
        self.tls = tls
        self.client_certificates = client_certificates
        self.proxy_cache_of = proxy_cache_of
        self.relative_urls = relative_urls
        self.read_only = read_only
        self.foreign_urls = foreign_urls
        self.descriptor_cache = descriptor_cache
        self._wanted_port = port
        self.port = 0
        self._mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------------ life

    def __enter__(self) -> DockerRegistry:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self, *, timeout: float = 20.0) -> None:
        """Start the process and wait until it answers at /v2/ (seconds in `timeout`)."""
        binary = require_docker_registry()
        self.storage.mkdir(parents=True, exist_ok=True)
        # Between choosing a free port and the registry's bind another process can take it: then try the next one.
        for _attempt in range(5):
            self.port = self._wanted_port or _free_port()
            if self._launch(binary, timeout):
                return
            if self._wanted_port or "address already in use" not in self.log():
                break
        raise RuntimeError(f"{BINARY} did not start: {self.log()[-2000:] or 'no output'}")

    def stop(self) -> None:
        """End the process that start() began; nothing happens when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int | None:
        """Process id while running (for measuring or killing it), else None."""
        return self._process.pid if self._process else None

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Stop and start again on the same port and data."""
        wanted, self._wanted_port = self._wanted_port, self.port
        try:
            self.stop()
            self.start()
        finally:
            self._wanted_port = wanted

    def log(self) -> str:
        """What the process has written to its output so far."""
        try:
            return self._log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # --------------------------------------------------------------- address

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as image references start."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """`http(s)://127.0.0.1:port`."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    # ----------------------------------------------------------------- state

    @property
    def root(self) -> Path:
        """Where the filesystem driver keeps blobs and repositories."""
        return self.storage / "data" / "docker" / "registry" / "v2"

    def repositories(self) -> list[str]:
        """Names of all repositories that hold anything, sorted."""
        base = self.root / "repositories"
        # Repository names nest, and only a repository has _layers or _manifests in it.
        found = {str(marker.parent.relative_to(base)) for kind in ("_layers", "_manifests") for marker in base.rglob(kind)}
        return sorted(found)

    def tags(self, repository: str) -> dict[str, str]:
        """Tag -> manifest digest of one repository; empty when there is no such repository."""
        base = self.root / "repositories" / repository / "_manifests" / "tags"
        if not base.is_dir():
            return {}
        links = {entry.name: entry / "current" / "link" for entry in sorted(base.iterdir())}
        return {tag: link.read_text().strip() for tag, link in links.items() if link.is_file()}

    def manifests(self, repository: str) -> list[str]:
        """Digests of the manifests of one repository, tagged or not, sorted."""
        return self._links(repository, "_manifests/revisions")

    def layers(self, repository: str) -> list[str]:
        """Digests of the blobs (layers and configs) that one repository holds, sorted."""
        return self._links(repository, "_layers")

    def blobs(self) -> dict[str, Path]:
        """Digest -> file of everything stored, manifests included (this registry keeps them as blobs)."""
        base = self.root / "blobs"
        return {
            f"{data.parents[2].name}:{data.parent.name}": data
            for data in sorted(base.glob("*/*/*/data"))  # <algorithm>/<first two digits>/<hex>/data
        }

    def verify(self) -> list[str]:
        """Re-hash everything stored; one sentence for each blob that is not what its digest says."""
        problems = []
        for digest, path in self.blobs().items():
            algorithm, expected = digest.split(":", 1)
            with path.open("rb") as handle:
                hasher = hashlib.new(algorithm)
                for chunk in iter(lambda: handle.read(1 << 20), b""):
                    hasher.update(chunk)
            if hasher.hexdigest() != expected:
                problems.append(f"blob {digest} has content of {algorithm}:{hasher.hexdigest()}")
        return problems

    def wipe(self) -> None:
        """Forget all repositories and blobs; the registry keeps running on its port."""
        running_with_cache = self.descriptor_cache and self._process is not None
        if running_with_cache:
            self.stop()
        shutil.rmtree(self.storage / "data", ignore_errors=True)
        if running_with_cache:
            wanted, self._wanted_port = self._wanted_port, self.port
            self.start()
            self._wanted_port = wanted

    # --------------------------------------------------------------- private

    @property
    def _log_path(self) -> Path:
        return self.storage / "registry.log"

    def _links(self, repository: str, kind: str) -> list[str]:
        base = self.root / "repositories" / repository / kind
        return sorted(f"{link.parents[1].name}:{link.parent.name}" for link in base.glob("*/*/link"))

    def _launch(self, binary: Path, timeout: float) -> bool:
        config = self.storage / "config.yml"
        config.write_text(yaml.safe_dump(self._configuration()))
        # The registry also reads REGISTRY_* variables, which would override the file.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(binary), "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        try:
            ready = self._wait_ready(self._process, timeout)
        except BaseException:
            self.stop()
            raise
        if not ready:
            self.stop()
        return ready

    def _wait_ready(self, process: subprocess.Popen[bytes], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with requests.Session() as session:
            session.trust_env = False
            if self.tls:
                session.verify = str(self.tls.ca)
                session.cert = (str(self.tls.client_cert), str(self.tls.client_key))
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    answer = session.get(f"{self.url}/v2/", timeout=2)
                    # 401 is an answer too: a registry with users is up. The mark tells ours from another one that
                    # was quicker to take the port.
                    if answer.status_code in (200, 401) and answer.headers.get(MARK) == self._mark:
                        return True
                except requests.RequestException:
                    pass
                time.sleep(0.02)
        return False

    def _configuration(self) -> dict[str, Any]:
        storage: dict[str, Any] = {
            "filesystem": {"rootdirectory": str(self.storage / "data"), "maxthreads": 100},
            "delete": {"enabled": self.delete},
            "maintenance": {"uploadpurging": {"enabled": False}, "readonly": {"enabled": self.read_only}},
        }
        if self.descriptor_cache:
            storage["cache"] = {"blobdescriptor": "inmemory"}
        http: dict[str, Any] = {
            "addr": self.host,
            "relativeurls": self.relative_urls,
            "secret": "sandbox",
            "headers": {MARK: [self._mark]},
        }
        if self.tls:
            http["tls"] = {"certificate": str(self.tls.server_cert), "key": str(self.tls.server_key)}
            if self.client_certificates:
                http["tls"]["clientcas"] = [str(self.tls.ca)]
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": storage,
            "http": http,
        }
        if self.foreign_urls:
            config["validation"] = {"manifests": {"urls": {"allow": ["^https?://"]}}}
        if self.proxy_cache_of:
            config["proxy"] = {"remoteurl": self.proxy_cache_of}
        if self.htpasswd:
            path = self.storage / "htpasswd"
            path.write_text("".join(f"{user}:{bcrypt_hash(word)}\n" for user, word in self.htpasswd.items()))
            config["auth"] = {"htpasswd": {"realm": "sandbox", "path": str(path)}}
        return config


def _free_port() -> int:
    """A loopback TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
