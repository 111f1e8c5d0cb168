"""What `make demo KEEP=1` leaves for other programs: `.run/env` and the lines a person types."""

from __future__ import annotations

from pathlib import Path

from localcloud.demo.stage import PORTS, Built

_SAMPLE = '{"milvus-name":"search-cats","milvus-type":"M5","disk-size":50}'


def variables(built: Built, logs: Path) -> dict[str, str]:
    """Shell variables for programs that go on from here."""
    scene = built.scene
    return {
        "KITE_URL": scene.url,
        "KITE_EC2_ENDPOINT": scene.ec2_endpoint,
        "KITE_REGISTRY": f"127.0.0.1:{PORTS['registry']}",
        "KITE_PROVISIONER": f"127.0.0.1:{PORTS['provisioner']}",
        "KITE_WHITELIST": f"127.0.0.1:{PORTS['whitelist']}",
        "KITE_CLIENT_A": scene.first,
        "KITE_CLIENT_B": scene.second,
        "KITE_LOGS": str(logs.absolute()),
    }


def write(folder: Path, built: Built) -> Path:
    path = folder / "env"
    lines = [f"{name}={value}\n" for name, value in variables(built, folder / "logs").items()]
    path.write_text("".join(lines))
    return path


def lines(built: Built, env: Path) -> list[str]:
    """What to type next."""
    scene = built.scene
    user = "-H 'username: milvus-test' -H 'content-type: application/json'"
    whitelist = (
        '{"milvus-name":"search-cats","ip-ranges":[{"source-ip":"'
        f'{scene.first_address}/32","port-type":"miluvs-port"}}]}}'
    )
    return [
        f"Kite answers at {scene.url} (EC2 at {scene.ec2_endpoint}). Go on from here:",
        f"  curl -sX POST {scene.url}/v1/milvus {user} -d '{_SAMPLE}'",
        f"  curl -s {scene.url}/v1/clusters/search-cats -H 'username: milvus-test'",
        f"  curl -sX PUT {scene.url}/v1/whitelist {user} -d '{whitelist}'",
        f"  ip netns exec {scene.first} .venv/bin/python   # a client at {scene.first_address}",
        f'  curl -sX DELETE {scene.url}/v1/milvus {user} -d \'{{"milvus-name":"search-cats"}}\'',
        "The whole story with curl alone: README.md, section 'With curl'.",
        f"Variables for other programs: {env}. Restart one service: make restart SERVICE=bff.",
        "End it all: make stop",
    ]
