"""What happened in a day, line by line: when, who, what. Equal days have equal hashes."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field


@dataclass
class Tale:
    """Lines in the order of their happening; `told` counts them by their first word."""

    lines: list[tuple[float, str, str]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)

    def tell(self, who: str, what: str) -> None:
        self.lines.append((asyncio.get_running_loop().time(), who, what))

    def fault(self, who: str, kind: str, what: str = "") -> None:
        """Bad luck, which is also counted."""
        self.told[kind] = self.told.get(kind, 0) + 1
        self.tell(who, f"!! {kind} {what}".rstrip())

    def text(self) -> str:
        return "\n".join(f"{at:10.3f}  {who:<8} {what}" for at, who, what in self.lines)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]
