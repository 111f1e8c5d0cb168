"""The registry: records of all clusters, who may act on them, and their story."""

import sys
from importlib.util import find_spec

# To find out whether pyOpenSSL is there, pymongo loads cryptography's X.509 first: 8 MB and 35 ms
# for nothing where it is not. It then does the same as when this module cannot be imported.
if find_spec("OpenSSL") is None:
    sys.modules["pymongo.pyopenssl_context"] = None  # type: ignore[assignment]
