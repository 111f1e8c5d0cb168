"""One HTTP request from inside the engine's namespace: METHOD URL [JSON] -> [status, body]."""

import json
import sys
import urllib.error
import urllib.request

method, url, body = (*sys.argv[1:], None)[:3]
request = urllib.request.Request(
    url,
    method=method,
    data=body.encode() if body else None,
    headers={"username": "milvus-test", "content-type": "application/json"},
)
try:
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = (answer.status, answer.read().decode())
except urllib.error.HTTPError as failed:
    found = (failed.code, failed.read().decode())
sys.stdout.write(json.dumps(found))
