from __future__ import annotations

from localcloud import apt_sources

DEB822 = """# the machine's own
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
"""

ONE_LINE = """
# deb http://off.example/ubuntu noble main
deb [arch=amd64 signed-by=/k.gpg] http://archive.example/ubuntu noble main universe
deb-src http://archive.example/ubuntu noble main
deb http://archive.example/ubuntu noble-updates main
"""


def test_own_suites_of_both_stanzas_are_kept_and_others_left_out():
    text = apt_sources.own([DEB822], "bookworm")

    assert text.count("Types: deb\n") == 2
    assert "Suites: bookworm bookworm-updates\n" in text
    assert "Suites: bookworm-security\n" in text
    assert "Components: main contrib\n" in text
    assert "Signed-By: /usr/share/keyrings/debian.gpg\n" in text


def test_the_one_line_form_says_the_same():
    text = apt_sources.own([ONE_LINE], "noble")

    assert "URIs: http://archive.example/ubuntu\nSuites: noble\nComponents: main universe" in text
    assert "Signed-By: /k.gpg" in text
    assert "Suites: noble-updates" in text
    assert "off.example" not in text


def test_third_parties_and_disabled_sources_are_not_taken():
    third = (
        "Types: deb\nURIs: http://t.example\nSuites: bookworm-pgdg\n\n"
        "Types: deb\nURIs: http://n.example\nSuites: nodistro\nComponents: main\n\n"
        "Types: deb\nURIs: http://o.example\nSuites: bookworm\nEnabled: no\n\n"
        "Types: deb-src\nURIs: http://s.example\nSuites: bookworm\n"
    )

    assert apt_sources.own([third], "bookworm") == ""


def test_a_key_written_into_the_stanza_keeps_its_lines():
    inline = (
        "Types: deb\nURIs: http://m.example\nSuites: bookworm\nSigned-By:\n"
        " -----BEGIN\n .\n abc\n -----END\n"
    )

    assert "Signed-By: \n -----BEGIN\n .\n abc\n -----END\n" in apt_sources.own(
        [inline], "bookworm"
    )


def test_the_same_source_named_twice_is_used_once():
    assert apt_sources.own([DEB822, DEB822], "bookworm") == apt_sources.own([DEB822], "bookworm")


def test_broken_lines_and_nothing_give_nothing():
    assert apt_sources.own(["", "deb\tnonsense", "no colon here"], "bookworm") == ""
