# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a cluster, as small as they can be: pods, operators, releases of Helm, the version of OpenShift."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]


def container_status(name: str, image_id: str, image: str = "") -> Object:
    """What a node tells about one container."""
    return {"name": name, "image": image or image_id, "imageID": image_id, "ready": True}


def pod(
    name: str,
    namespace: str,
    *image_ids: str,
    init: Iterable[str] = (),
    ephemeral: Iterable[str] = (),
    deployment: str = "",
    phase: str = "Running",
) -> Object:
    """A pod whose containers run these images; with `deployment` it belongs to one, by way of a ReplicaSet."""
    kinds = {"": image_ids, "init": tuple(init), "ephemeral": tuple(ephemeral)}
    spec, status = {}, {"phase": phase}
    for prefix, ids in kinds.items():
        told = f"{prefix}ContainerStatuses" if prefix else "containerStatuses"
        wanted = f"{prefix}Containers" if prefix else "containers"
        spec[wanted] = [{"name": f"{prefix}c{number}", "image": found.partition("@")[0]} for number, found in enumerate(ids)]
        status[told] = [container_status(f"{prefix}c{number}", found) for number, found in enumerate(ids)]
    meta: Object = {"name": name, "namespace": namespace}
    if deployment:
        meta["labels"] = {"pod-template-hash": "5d9c7"}
        meta["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{deployment}-5d9c7", "controller": True}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def operator(name: str, namespace: str, *, copied_from: str = "", phase: str = "Succeeded") -> Object:
    """A ClusterServiceVersion, or the copy of one that lies in another namespace."""
    meta: Object = {"name": name, "namespace": namespace}
    if copied_from:
        meta["labels"] = {"olm.copiedFrom": copied_from}
    status = {"phase": phase, "reason": "Copied" if copied_from else "InstallSucceeded"}
    return {"apiVersion": "operators.coreos.com/v1alpha1", "kind": "ClusterServiceVersion", "metadata": meta, "status": status}


def release(name: str, namespace: str, chart: str, version: str, *, status: str = "deployed", content: bytes | None = None) -> Object:
    """The secret of a Helm release; its values hold a password, which nobody is to see again."""
    document = {
        "name": name,
        "config": {"password": "hunter2-in-the-values"},
        "chart": {"metadata": {"name": chart, "version": version}, "values": {"password": "hunter2-in-the-values"}},
    }
    packed = gzip.compress(json.dumps(document).encode(), mtime=0) if content is None else content
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v1",
            "namespace": namespace,
            "labels": {"owner": "helm", "name": name, "status": status, "version": "1"},
        },
        "data": {"release": base64.b64encode(base64.b64encode(packed)).decode()},
    }


def cluster_version(version: str, *completed: str) -> Object:
    """The version of OpenShift: the one that is wanted, and those that were reached, the newest first."""
    history = [{"state": "Completed", "version": entry} for entry in completed or (version,)]
    return {
        "apiVersion": "config.openshift.io/v1",
        "kind": "ClusterVersion",
        "metadata": {"name": "version"},
        "status": {"desired": {"version": version}, "history": history},
    }


def kubeconfig(server: str, **user: Any) -> Object:
    """A kubeconfig with one context; keywords are what is said about its user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "bot"}}],
        "clusters": [{"name": "lab", "cluster": {"server": server}}],
        "users": [{"name": "bot", "user": user}],
    }
