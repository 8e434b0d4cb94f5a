"""Whether a way leads out of this machine is seen in the routing table."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

LOOK = "from agentlaunch.system.network import has_route; print(has_route())"


def looked(*before: str) -> str:
    return subprocess.run(
        [*before, sys.executable, "-c", LOOK], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_with_loopback_alone_no_way_leads_out_and_with_a_default_route_one_does() -> None:
    unshare, ip = shutil.which("unshare"), shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if unshare is None or ip is None:
        pytest.skip("needs unshare and ip")
    namespace = (unshare, "--net", "--map-root-user")
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to make a network namespace")
    alone = f'{ip} link set lo up; exec "$@"'
    routed = f'{ip} link set lo up; {ip} route add default dev lo; exec "$@"'
    assert looked(*namespace, "sh", "-c", alone, "sh") == "False"
    assert looked(*namespace, "sh", "-c", routed, "sh") == "True"
