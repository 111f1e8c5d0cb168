"""What a failed call of botocore means: one text for every service that asks EC2.

Silence is never a refusal: whatever may have been carried out is Unavailable. Botocore's
exceptions are told by the names of their classes, so that whoever reads this loads no cloud.
"""

from collections.abc import Mapping
from typing import Any

from kite import refusals
from kite.errors import Internal, KiteError, Unavailable

_CREDENTIALS = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "TokenRetrievalError",
        "SSOError",
    }
)
_MALFORMED = frozenset({"ParamValidationError", "UnknownParameterError", "MissingParametersError"})
_AWAY = frozenset({"BotoCoreError", "HTTPClientError"})
_NO_STATUS = 500  # an answer without one tells nothing


def meaning(failed: Exception, action: str) -> KiteError:
    """The failure that an exception means; `action` is EC2's name of the call."""
    if isinstance(failed, KiteError):
        return failed
    kinds = {kind.__name__ for kind in type(failed).__mro__}
    if "ClientError" in kinds:
        return _answered(getattr(failed, "response", {}), action)
    if kinds & _CREDENTIALS:
        # They may be back in a moment: they come from a file, a role or another service.
        text = f"{action}: no AWS credentials could be had ({type(failed).__name__})"
        return Unavailable(text, reason="CLOUD_PERMISSION")
    if kinds & _MALFORMED:
        text = f"{action}: Kite built this call wrongly, so it was not sent"
        return Internal(text, reason=refusals.MALFORMED_CALL)
    if kinds & _AWAY:
        text = f"{action}: EC2 did not answer ({type(failed).__name__})"
        return Unavailable(text, reason="CLOUD_AWAY")
    return Internal(f"{action}: {type(failed).__name__}: {failed}")


def _answered(response: Mapping[str, Any], action: str) -> KiteError:
    error = response.get("Error", {})
    code, text = str(error.get("Code", "")), str(error.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) or _NO_STATUS
    return refusals.failure(code, f"{action}: {text}", status=status)
