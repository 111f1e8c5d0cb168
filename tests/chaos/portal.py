"""A user behind a portal: asks, and asks the same again while nobody answers.

Any answer of 500 and above but 503 and 504, and any connection that ends early, counts as silence
only while something is down on purpose; `quiet=True` says that nothing is.
"""

import time
from dataclasses import dataclass, field

import httpx

PATIENCE = 60
SILENT = {502, 503, 504}


class Unanswered(Exception):
    """Nobody answered for too long; the text is the last thing that was heard."""


@dataclass
class Portal:
    url: str
    user: str = "alice"
    timeout: float = 40
    asked: int = 0
    repeated: int = 0
    strange: list[str] = field(default_factory=list)
    """Answers that nobody should ever get: a 5xx that is not "not now"."""

    def __post_init__(self):
        self._http = httpx.Client(headers={"username": self.user}, timeout=self.timeout)

    def close(self):
        self._http.close()

    def ask(self, method, path, body=None, *, seconds=PATIENCE):
        """The first answer that is one, whatever it says."""
        last, heard = time.monotonic() + seconds, ""
        while time.monotonic() < last:
            self.asked += 1
            try:
                answer = self._http.request(method, self.url + path, json=body)
            except httpx.TransportError as failed:
                heard = repr(failed)
            else:
                heard = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 500:
                    return answer
                if answer.status_code not in SILENT:
                    self.strange.append(f"{method} {path}: {heard}")
            self.repeated += 1
            time.sleep(0.05)
        raise Unanswered(f"{method} {path}: {heard}")

    def create(self, name, sources=(), milvus_type="M5"):
        body = {"milvus-name": name, "milvus-type": milvus_type, "disk-size": 10}
        if sources:
            body["ip-ranges"] = ranges(sources)
        return self.ask("POST", "/v1/milvus", body)

    def read(self, name):
        """The document, or None when there is none."""
        answer = self.ask("GET", f"/v1/clusters/{name}")
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    def clusters(self):
        found = self.ask("GET", "/v1/clusters").raise_for_status().json()
        return found["clusters"]

    def whitelist(self, name, sources):
        body = {"milvus-name": name, "ip-ranges": ranges(sources)}
        return self.ask("PUT", "/v1/whitelist", body)

    def delete(self, name):
        return self.ask("DELETE", "/v1/milvus", {"milvus-name": name})

    def until(self, name, *states, seconds=PATIENCE):
        """The document once it is in one of the states (None = gone)."""
        last, seen = time.monotonic() + seconds, None
        while time.monotonic() < last:
            seen = self.read(name)
            if (seen and seen["status"]) in states:
                return seen
            time.sleep(0.05)
        raise AssertionError(f"{name} is not {states} but {seen}")


def ranges(sources):
    return [{"source-ip": source, "port-type": "milvus-port"} for source in sources]
