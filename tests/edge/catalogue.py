"""Bad input, one line each: what is sent, and the status and reason that must come back.

Numbers are those of the catalogue of bad inputs; where the contract itself decided otherwise, the
line says so. A case that needs more than one request is a test of its own in test_catalogue.py.
"""

from __future__ import annotations

import json

from tests.edge.cases import (
    GOOD,
    HEAD,
    SEED_WHITELIST,
    Case,
    body,
    create,
    named,
    one_range,
    ranges,
    typed,
    user,
    with_field,
)
from tests.edge.http import request

BAD = "MALFORMED_JSON"
TRANSPORT = (
    body(b"", "1", "empty body", 400, BAD),
    body(b'{"a":1,}', "2", "trailing comma", 400, BAD),
    Case(
        "3",
        "the seed's sample, strict form",
        request("PUT", "/v1/clusters/search-cats/whitelist", SEED_WHITELIST),
        400,
        BAD,
    ),
    body(b"\xef\xbb\xbf{}", "4", "byte order mark", 400, BAD),
    body(b'{"milvus-name":"\xff\xfe"}', "5", "invalid UTF-8", 400, "INVALID_ENCODING"),
    body(rb'{"milvus-name":"\ud800"}', "6", "lone surrogate", 422, "INVALID_STRING"),
    body(rb'{"\udfff":1}', "6", "lone surrogate in a key", 422, "INVALID_STRING"),
    body(b'{"disk-size":NaN}', "7", "NaN", 400, BAD),
    body(b'{"disk-size":-Infinity}', "7", "Infinity", 400, BAD),
    body(b'{"a":1,"a":2}', "8", "duplicate key", 400, "DUPLICATE_FIELD"),
    body(b'{"a":{"b":1,"b":1}}', "8", "duplicate key inside", 400, "DUPLICATE_FIELD"),
    *(
        body(b, "9", f"top level {b!r}", 422, "OBJECT_EXPECTED")
        for b in (b"[]", b'"a"', b"null", b"7")
    ),
    body(b"[" * 30_000, "10", "30,000 levels", 400, "TOO_DEEP"),
    body(b'{"a":' * 17 + b"1" + b"}" * 17, "10", "17 levels", 400, "TOO_DEEP"),
    body(b'{"disk-size":' + b"9" * 5_000 + b"}", "11", "5,000 digits", 400, "NUMBER_TOO_LARGE"),
    body(b'{"disk-size":1e999}', "11", "beyond a double", 400, "NUMBER_TOO_LARGE"),
    body(b'{"a":"' + b"x" * 70_000 + b'"}', "12", "over 64 KiB", 413, "BODY_TOO_LARGE"),
    Case(
        "13",
        "endless chunks",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 5,
        413,
        "BODY_TOO_LARGE",
    ),
    Case(
        "13",
        "broken chunk",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
        "MALFORMED_HTTP",
    ),
    Case("14", "text/plain", typed("text/plain"), 415, "JSON_EXPECTED"),
    Case("14", "a form", typed("application/x-www-form-urlencoded"), 415, "JSON_EXPECTED"),
    Case("15", "charset bogus", typed("application/json; charset=bogus"), 415, "JSON_EXPECTED"),
    Case("15", "charset utf-16", typed("application/json;charset=utf-16"), 415, "JSON_EXPECTED"),
    Case(
        "16",
        "gzip",
        create(GOOD, headers=[("Content-Encoding", "gzip")]),
        415,
        "ENCODING_NOT_SUPPORTED",
    ),
    Case("17", "Content-Length -1", HEAD + b"Content-Length: -1\r\n\r\n", 400, "MALFORMED_HTTP"),
    Case(
        "18",
        "Transfer-Encoding beside Content-Length",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "MALFORMED_HTTP",
    ),
    Case("19", "NUL in a header", HEAD + b"x: a\x00b\r\n\r\n", 400, "MALFORMED_HTTP"),
    Case("19", "bare CR in a header", HEAD + b"x: a\rb\r\n\r\n", 400, "MALFORMED_HTTP"),
    Case("19", "space before the colon", HEAD + b"x : a\r\n\r\n", 400, "MALFORMED_HTTP"),
    Case(
        "20", "20 kB header", HEAD + b"x: " + b"a" * 20_000 + b"\r\n\r\n", 431, "HEADER_TOO_LARGE"
    ),
    Case("21", "unknown path", request("GET", "/v1/nothing"), 404, "NO_SUCH_ROUTE"),
    Case("21", "trailing slash", request("GET", "/v1/clusters/"), 404, "NO_SUCH_ROUTE"),
    Case("21", "unknown path, unknown user", request("GET", "/x", user=None), 404, "NO_SUCH_ROUTE"),
    Case("22", "wrong method", request("PUT", "/v1/clusters"), 405, "METHOD_NOT_ALLOWED"),
    Case("22", "another method", request("OPTIONS", "/v1/milvus"), 405, "METHOD_NOT_ALLOWED"),
    Case(
        "23",
        "illegal method",
        b"GE(T /v1/clusters HTTP/1.1\r\nHost: x\r\n\r\n",
        400,
        "MALFORMED_HTTP",
    ),
    Case(
        "23", "no Host", b"GET /v1/clusters HTTP/1.1\r\nusername: a\r\n\r\n", 400, "MALFORMED_HTTP"
    ),
    Case("23", "not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "MALFORMED_HTTP"),
    Case("25", "encoded dots", request("GET", "/v1/clusters/..%2f..%2f"), 404, "NO_SUCH_ROUTE"),
    Case("25", "encoded slash", request("GET", "/v1/clusters/a%2Fb"), 404, "NO_SUCH_ROUTE"),
    Case("26", "NUL in the path", request("GET", "/v1/clusters/ab%00c"), 400, "INVALID_NAME"),
    Case("26", "newline in the path", request("GET", "/v1/clusters/ab%0Ac"), 400, "INVALID_NAME"),
    Case(
        "27", "unknown parameter", request("GET", "/v1/clusters?sort=x"), 422, "UNKNOWN_PARAMETER"
    ),
    Case(
        "27",
        "parameter twice",
        request("GET", "/v1/clusters?page-size=1&page-size=2"),
        422,
        "DUPLICATE_PARAMETER",
    ),
    Case(
        "27",
        "other expectation",
        create(GOOD, headers=[("Expect", "tea")]),
        417,
        "EXPECTATION_FAILED",
    ),
)
USERS = ("*", "?ob", "a*", "{{7*7}}", "${jndi:x}", "$(id)", "../root", "a/b", "a" * 65, "a,b")
FOREIGN_USERS = ("ünal", "аlice", "ali\u200bce", "\u202ealice", "李", "a\u0301b")
IDENTITY = (
    Case("28", "no username", request("GET", "/v1/clusters", user=None), 401, "IDENTITY_MISSING"),
    Case("29", "empty username", user(""), 401, "IDENTITY_MISSING"),
    Case("30", "two names in one header (T02)", user("alice, bob"), 422, "INVALID_USERNAME"),
    Case("29", "blank username", user("   "), 401, "IDENTITY_MISSING"),
    Case(
        "30",
        "two username headers",
        request("GET", "/v1/clusters", headers=[("Username", "bob")]),
        400,
        "IDENTITY_AMBIGUOUS",
    ),
    *(Case("33-36", f"user {name[:12]}", user(name), 422, "INVALID_USERNAME") for name in USERS),
    *(Case("37", f"user {name!a}", user(name), 422, "INVALID_USERNAME") for name in FOREIGN_USERS),
    Case("39", "disabled user", user("mallory"), 403, "USER_DISABLED"),
    Case("40", "admin route", request("GET", "/v1/admin/clusters"), 403, "ADMIN_ONLY"),
)
WRONG_NAMES = (
    *(("44", name) for name in ("$ne", "a.b", "_id")),
    *(("45", name) for name in ("", "a", "a" * 64)),
    *(("46", name) for name in (" cats", "cats ", "-cats", "cats-", "Cats")),
    *(("47", name) for name in ("{{ lookup('pipe','id') }}", "{% raw %}")),
    *(("48", name) for name in ("x; rm -rf /", "`id`", "a && b", "a\nb", "cats\n")),
    *(("50", name) for name in ("<script>", "\"'", "%s%n")),
    *(("51", name) for name in ("\U0001f600\U0001f600", "\u4e2d\u6587", "cafe\u0301")),
    *(("52", name) for name in ("a\x00b", "a\x1bb")),
)
RESERVED = ("sg-abc", "aws:x", "kite-x", "__default_resource_group")
CREATE = (
    Case("41", "name missing", named(...), 422, "FIELD_MISSING"),
    Case("41", "name null", named(None), 422, "FIELD_MISSING"),
    *(Case("42", f"name {v!r}", named(v), 422, "STRING_EXPECTED") for v in (7, True, ["a"])),
    *(
        Case("43", f"name {v}", named(v), 422, "STRING_EXPECTED")
        for v in ({"$ne": ""}, {"$gt": ""}, {"$where": "1"})
    ),
    *(
        Case(number, f"name {name[:12]!a}", named(name), 422, "INVALID_NAME")
        for number, name in WRONG_NAMES
    ),
    *(Case("49", f"name {name}", named(name), 422, "RESERVED_NAME") for name in RESERVED),
    *(
        Case(
            "56",
            f"key {key[:6]!a}",
            create(GOOD, headers=[("Idempotency-Key", key)]),
            422,
            "INVALID_IDEMPOTENCY_KEY",
        )
        for key in ("k" * 300, "a\tb", "schlüssel", "")
    ),
    Case(
        "56",
        "two keys",
        create(GOOD, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")]),
        422,
        "INVALID_IDEMPOTENCY_KEY",
    ),
    Case("59", "type missing", with_field(milvus_type=...), 422, "FIELD_MISSING"),
    Case("59", "type null", with_field(milvus_type=None), 422, "FIELD_MISSING"),
    Case("59", "type number", with_field(milvus_type=5), 422, "STRING_EXPECTED"),
    *(
        Case("61", f"type {v}", with_field(milvus_type=v), 422, "UNKNOWN_TYPE")
        for v in ("zz.huge", "m5.large;", "*", "", "m5.large\n")
    ),
    Case("64", "disk missing", with_field(disk_size=...), 422, "FIELD_MISSING"),
    *(
        Case("65-67", f"disk {v!r}", with_field(disk_size=v), 422, "INTEGER_EXPECTED")
        for v in ("50", True, 50.0, 50.5, [50])
    ),
    body(
        b'{"milvus-name":"ab","milvus-type":"M5","disk-size":5e1}',
        "67",
        "disk 5e1",
        422,
        "INTEGER_EXPECTED",
    ),
    *(
        Case("68", f"disk {v}", with_field(disk_size=v), 422, "DISK_TOO_SMALL")
        for v in (0, -1, 7, -(2**70))
    ),
    *(
        Case("69", f"disk {v}", with_field(disk_size=v), 422, "DISK_TOO_LARGE")
        for v in (16385, 10**6, 2**63)
    ),
    Case("70", "unknown field", with_field(color="red"), 422, "UNKNOWN_FIELD"),
    Case("70", "dunder field", with_field(name__ne=""), 422, "UNKNOWN_FIELD"),
    # There are no such fields yet; they cannot be slipped in either.
    *(
        Case(number, f"{key} {value!r}", with_field(**{key: value}), 422, "UNKNOWN_FIELD")
        for number, key, values in (("72", "workers", (0, -1, "2")), ("75", "kite:cluster", ("x",)))
        for value in values
    ),
    Case("71", "two names", with_field(milvs_name="other-cats"), 422, "FIELD_CONFLICT"),
    Case(
        "71",
        "two names, body and query",
        request("DELETE", "/v1/milvus?milvs-name=dogs", {"milvus-name": "cats"}),
        422,
        "FIELD_CONFLICT",
    ),
    *(
        Case("72", f"workers {v!r}", with_field(workers=v), 422, "UNKNOWN_FIELD")
        for v in (0, -1, 1000, "2")
    ),
    Case("75", "tags", with_field(tags={"kite:install": "x"}), 422, "UNKNOWN_FIELD"),
    Case("F-", "address-mode unknown", with_field(address_mode="ipx"), 422, "UNKNOWN_ADDRESS_MODE"),
    Case("F-", "allow-public no boolean", with_field(allow_public="yes"), 422, "BOOLEAN_EXPECTED"),
    Case("F-", "wait unfit", request("POST", "/v1/clusters?wait=61", GOOD), 422, "INVALID_WAIT"),
)
PAGES = (
    "page-size=0",
    "page-size=-1",
    "page-size=x",
    "page-size=1000000000",
    "page-token=forged!",
    "page-token=zz",
    "page-size=%EF%BC%91",
)
READS = (
    Case("77", "unknown name", request("GET", "/v1/clusters/nobody"), 404, "NO_SUCH_CLUSTER"),
    Case("77", "delete unknown", request("DELETE", "/v1/clusters/nobody"), 404, "NO_SUCH_CLUSTER"),
    Case(
        "77",
        "seed delete unknown",
        request("DELETE", "/v1/milvus", {"milvus-name": "nobody"}),
        404,
        "NO_SUCH_CLUSTER",
    ),
    Case("77", "seed delete of nothing", request("DELETE", "/v1/milvus"), 422, "FIELD_MISSING"),
    Case(
        "77", "operation unknown", request("GET", "/v1/operations/op-1"), 404, "NO_SUCH_OPERATION"
    ),
    Case(
        "83",
        "endpoint type",
        request("GET", "/v1/clusters/search-cats/endpoints?type=other"),
        422,
        "UNKNOWN_ENDPOINT_TYPE",
    ),
    *(
        Case("85", page, request("GET", f"/v1/clusters?{page}"), 422, "INVALID_PAGE")
        for page in PAGES
    ),
)
# A bare address is /32 by the contract, so case 89 is no refusal; it has a test of its own.
NO_CIDR = (
    "1.2.3.4/33",
    "300.1.1.1/32",
    "1.2.3/24",
    "010.0.0.1/32",
    "0x7f.1/32",
    "１.2.3.4/32",
    "1.2.3.4/32 ",
    "",
    "1.2.3.4/255.255.255.0",
    "1.2.3.4/0.0.0.255",
    "16909060",
    "1.2.3.4/-1",
)
NO_SOURCE = (
    "::ffff:1.2.3.4/128",
    "fe80::1%eth0/128",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
WHITELIST = (
    Case(
        "86",
        "no ip-ranges",
        request("PUT", "/v1/clusters/search-cats/whitelist", {}),
        422,
        "LIST_EXPECTED",
    ),
    *(
        Case("86", f"ip-ranges {json.dumps(v)}", ranges(v), 422, "LIST_EXPECTED")
        for v in (None, "x", {}, 7)
    ),
    *(
        Case("88", f"entry {v!r}", ranges([v]), 422, "OBJECT_EXPECTED")
        for v in ("1.2.3.4/32", 7, None, [])
    ),
    *(
        Case("88", f"source-ip {v!r}", one_range(v), 422, "STRING_EXPECTED")
        for v in (16909060, ["1.2.3.4/32"], True)
    ),
    Case("88", "no source-ip", ranges([{"port-type": "miluvs-port"}]), 422, "FIELD_MISSING"),
    Case(
        "88",
        "unknown key",
        ranges([{"source-ip": "1.2.3.4", "port-type": "miluvs-port", "x": 1}]),
        422,
        "UNKNOWN_FIELD",
    ),
    *(Case("90", f"{v!a}", one_range(v), 422, "INVALID_CIDR") for v in NO_CIDR),
    Case("91", "host bits", one_range("10.1.2.3/24"), 422, "HOST_BITS_SET"),
    *(Case("93", v, one_range(v), 403, "RANGE_TOO_WIDE") for v in ("0.0.0.0/0", "::/0")),
    Case(
        "93",
        "two halves",
        ranges(
            [{"source-ip": v, "port-type": "miluvs-port"} for v in ("0.0.0.0/1", "128.0.0.0/1")]
        ),
        403,
        "RANGE_TOO_WIDE",
    ),
    *(Case("94", v, one_range(v), 422, "INVALID_RANGE") for v in NO_SOURCE),
    *(
        Case("95", f"port-type {v!r}", one_range("1.2.3.4/32", v), 422, "UNKNOWN_PORT_TYPE")
        for v in ("ssh", "22", "9091", "MILUVS-PORT", [], None, 19530, "")
    ),
    Case("95", "no port-type", ranges([{"source-ip": "1.2.3.4/32"}]), 422, "UNKNOWN_PORT_TYPE"),
    Case(
        "96",
        "61 rules",
        ranges(
            [{"source-ip": f"10.0.{n}.0/24", "port-type": "miluvs-port"} for n in range(0, 122, 2)]
        ),
        422,
        "TOO_MANY_RULES",
    ),
    Case(
        "96",
        "1,001 entries",
        ranges([{"source-ip": "1.2.3.4", "port-type": "miluvs-port"}] * 1001),
        422,
        "TOO_MANY_RULES",
    ),
    Case(
        "96",
        "unknown cluster",
        request("PUT", "/v1/clusters/nobody/whitelist", {"ip-ranges": []}),
        404,
        "NO_SUCH_CLUSTER",
    ),
    Case(
        "F-",
        "note no string",
        ranges([{"source-ip": "1.2.3.4", "port-type": "miluvs-port", "note": 1}]),
        422,
        "STRING_EXPECTED",
    ),
    Case(
        "F-",
        "note unprintable",
        ranges([{"source-ip": "1.2.3.4", "port-type": "miluvs-port", "note": "a\x07"}]),
        422,
        "INVALID_NOTE",
    ),
    Case(
        "F-",
        "time without zone",
        ranges([{"source-ip": "1.2.3.4", "port-type": "miluvs-port", "expires-at": "2030-01-01"}]),
        422,
        "INVALID_TIME",
    ),
)
ALL = (*TRANSPORT, *IDENTITY, *CREATE, *READS, *WHITELIST)
