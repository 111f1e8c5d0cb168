"""Which of this machine's package sources the pretend hosts are made from.

Promise: only the distribution's own suites are taken (never a third party's), from whatever
mirror this machine uses. Both file forms of sources.list(5) are read. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable


def own(texts: Iterable[str], codename: str) -> str:
    """One sources.list in the deb822 form with the suites of `codename` only; '' when none."""
    stanzas = [stanza for text in texts for stanza in _stanzas(text)]
    kept = [_render(stanza, codename) for stanza in stanzas if _suites(stanza, codename)]
    return "\n".join(dict.fromkeys(kept))


def _suites(stanza: dict[str, str], codename: str) -> list[str]:
    wanted = {codename, f"{codename}-updates", f"{codename}-security"}
    is_binary = "deb" in stanza.get("types", "").split()
    is_on = stanza.get("enabled", "yes") != "no"
    return [s for s in stanza.get("suites", "").split() if is_binary and is_on and s in wanted]


def _render(stanza: dict[str, str], codename: str) -> str:
    fields = {
        "Types": "deb",
        "URIs": stanza["uris"],
        "Suites": " ".join(_suites(stanza, codename)),
        "Components": stanza.get("components", "main"),
    }
    if "signed-by" in stanza:
        fields["Signed-By"] = stanza["signed-by"]
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _stanzas(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    if any(line.startswith(("deb ", "deb\t")) for line in lines):
        return [_one_line(line) for line in lines if line.startswith(("deb ", "deb\t"))]
    return [
        stanza
        for block in "\n".join(lines).split("\n\n")
        if (stanza := _block(block)).get("uris") and stanza.get("suites")
    ]


def _block(block: str) -> dict[str, str]:
    stanza: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line[:1] in (" ", "\t") and name:
            stanza[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            stanza[name] = value.strip()
    return stanza


def _one_line(line: str) -> dict[str, str]:
    words = line.split()[1:]
    stanza = {"types": "deb"}
    if words and words[0].startswith("["):
        end = next((i for i, word in enumerate(words) if word.endswith("]")), 0)
        for option in " ".join(words[: end + 1]).strip("[]").split():
            name, _, value = option.partition("=")
            stanza[name.strip().lower()] = value
        words = words[end + 1 :]
    if len(words) > 1:
        stanza |= {"uris": words[0], "suites": words[1], "components": " ".join(words[2:])}
    return stanza
