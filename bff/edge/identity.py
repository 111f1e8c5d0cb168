"""Who asks: exactly one `username` header, believed only from whom the settings say.

trusted-header  the header is taken as it is; for loopback, or a network with nobody but a portal
signed-header   a portal signs each request (signing.py); stale and repeated signatures are refused
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bff.edge import signing
from bff.edge.signing import Signed
from bff.settings import Auth, Settings, portal_keys, words
from kite import names
from kite.clock import Clock
from kite.errors import Forbidden, Malformed, Unauthenticated


@dataclass(frozen=True, slots=True)
class Caller:
    user: str
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its sender, not yet believed."""

    usernames: Sequence[str]
    signatures: Sequence[str]
    method: str
    target: str
    body: bytes


class Nonces:
    """Nonces of the last while; a second use is refused.

    Kept by this process: behind several edges a replay within the window must meet the same one
    (balance by source address), or reach a create, which is idempotent.
    """

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def first(self, portal: str, nonce: str) -> bool:
        """Remember a nonce; False when it is known already."""
        now = self._clock.monotonic()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        if (portal, nonce) in self._seen:
            return False
        self._seen[portal, nonce] = now + self._seconds
        return True


class Identity:
    """Turns claims into callers.

    Raises (of):
        Unauthenticated: IDENTITY_MISSING, IDENTITY_NOT_TRUSTED.
        Malformed: IDENTITY_AMBIGUOUS.
        InvalidRequest: INVALID_USERNAME.
        Forbidden: USER_DISABLED.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._signed = settings.auth is Auth.SIGNED_HEADER
        self._keys: Mapping[str, bytes] = portal_keys(settings.bff_portal_keys)
        self._window = settings.bff_signature_seconds
        self._clock = clock
        # A time may lie ahead by the window and then stays fit for a second window.
        self._nonces = Nonces(clock, seconds=2 * self._window + 1)
        self._disabled = frozenset(words(settings.bff_disabled_users))
        self._admins = frozenset(words(settings.bff_admins))

    def of(self, claim: Claim) -> Caller:
        user = self._one_name(claim.usernames)
        if self._signed:
            self._check_signature(claim, user)
        names.user_name(user)
        if user in self._disabled:
            raise Forbidden("this user is disabled", reason="USER_DISABLED")
        return Caller(user, admin=user in self._admins)

    @staticmethod
    def _one_name(usernames: Sequence[str]) -> str:
        if len(usernames) > 1:
            raise Malformed(
                "the username header is given more than once", reason="IDENTITY_AMBIGUOUS"
            )
        if not usernames or not usernames[0].strip():
            raise Unauthenticated("send the header username", reason="IDENTITY_MISSING")
        return usernames[0]

    def _check_signature(self, claim: Claim, user: str) -> None:
        signature = signing.read(claim.signatures[0]) if len(claim.signatures) == 1 else None
        if signature is None:
            raise _not_trusted("the username header needs one kite-signature header of a portal")
        if abs(self._clock.now_ms() / 1000 - signature.time) > self._window:
            raise _not_trusted(f"the signature's time is off by more than {self._window} seconds")
        key = self._keys.get(signature.portal)
        signed = Signed(claim.method, claim.target, user, claim.body)
        if key is None or not user.isascii() or not signing.fits(key, signature, signed):
            raise _not_trusted("the signature does not fit the request")
        if not self._nonces.first(signature.portal, signature.nonce):
            raise _not_trusted("the signature was used before; sign each request anew")


def _not_trusted(why: str) -> Unauthenticated:
    return Unauthenticated(why, reason="IDENTITY_NOT_TRUSTED")
