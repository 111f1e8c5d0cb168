"""The same Milvus on the same host with pyinfra; pretend hosts have neither curl nor wget."""

import os

from pyinfra.operations import files, server, systemd

TREE, FILES = os.environ["BENCH_TREE"], os.environ["BENCH_FILES"]
URL, SHA256 = os.environ["BENCH_URL"], os.environ["BENCH_SHA256"]
FETCH = (
    f"test -x {TREE}/bin/milvus || "
    f"(python3 -c \"import urllib.request as u; u.urlretrieve('{URL}', '/opt/kite/tree.tar')\" && "
    f"echo '{SHA256}  /opt/kite/tree.tar' | sha256sum -c && "
    f"tar -xf /opt/kite/tree.tar -C {TREE} && rm /opt/kite/tree.tar)"
)
HEALTHY = (
    'for i in $(seq 600); do python3 -c "import urllib.request as u; '
    "u.urlopen('http://127.0.0.1:9091/healthz', timeout=2)\" 2>/dev/null && exit 0; sleep 0.2; "
    "done; exit 1"
)

server.group(group="milvus", system=True, _sudo=True)
server.user(user="milvus", group="milvus", system=True, create_home=False, _sudo=True)
for folder in ("/opt/kite", TREE, "/etc/kite", "/etc/kite/milvus"):
    files.directory(path=folder, mode="755", _sudo=True)
files.directory(path="/var/lib/milvus", user="milvus", group="milvus", mode="750", _sudo=True)
files.line(path="/etc/security/limits.d/milvus.conf", line="milvus - nofile 65536", _sudo=True)
files.line(path="/etc/sysctl.d/60-milvus.conf", line="vm.max_map_count = 262144", _sudo=True)
server.shell(commands=[FETCH], _sudo=True)
for name in ("milvus.yaml", "etcd.yaml", "glog.conf"):
    files.put(src=f"{FILES}/{name}", dest=f"/etc/kite/milvus/{name}", mode="644", _sudo=True)
files.put(
    src=f"{FILES}/milvus.service", dest="/etc/systemd/system/milvus.service", mode="644", _sudo=True
)
systemd.service(service="milvus", running=True, enabled=True, daemon_reload=True, _sudo=True)
server.shell(commands=[HEALTHY], _sudo=True)
