"""Ask Milvus over its own port whether it works and who may log in; set its first password.

`running` means: a client's questions were answered with the right login, and the password that
Milvus is born with opens nothing. A password that its owner changed since is none of our business.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc import StatusCode

from kite.errors import CloudRefused, Unavailable
from kite.ports import MILVUS_PORT
from provisioner.facts import Answer
from provisioner.milvus.wire import milvus_pb2

BORN_WITH = "Milvus"
SECONDS = 3.0
_SERVICE = "/milvus.proto.milvus.MilvusService/"
_REFUSED = frozenset({StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED})
# No proxy of the environment may come between, and a fresh channel must not reuse a dead one.
_OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
M = TypeVar("M", bound=Message)


class _Login:
    """One login at one Milvus."""

    def __init__(self, channel: grpc.aio.Channel, password: str, seconds: float) -> None:
        token = base64.b64encode(f"root:{password}".encode()).decode()
        self._channel = channel
        self._metadata = (("authorization", token),)
        self._seconds = seconds

    async def ask(self, method: str, request: Message, answer: type[M]) -> M:
        call: Any = self._channel.unary_unary(
            _SERVICE + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        reply: M = await call(request, metadata=self._metadata, timeout=self._seconds)
        return reply

    async def opens(self) -> bool:
        """Whether root may list the users with this password.

        Raises:
            Unavailable: Milvus does not answer, or not yet well.
        """
        try:
            request = milvus_pb2.ListCredUsersRequest()
            reply = await self.ask("ListCredUsers", request, milvus_pb2.ListCredUsersResponse)
        except grpc.aio.AioRpcError as failed:
            if failed.code() in _REFUSED:
                return False
            raise Unavailable(f"Milvus does not answer ({failed.code().name.lower()})") from None
        if reply.status.error_code or reply.status.code:
            raise Unavailable(f"Milvus is not ready: {reply.status.reason}")
        return True

    async def healthy(self) -> bool:
        try:
            request = milvus_pb2.CheckHealthRequest()
            reply = await self.ask("CheckHealth", request, milvus_pb2.CheckHealthResponse)
        except grpc.aio.AioRpcError as failed:
            raise Unavailable(f"Milvus does not answer ({failed.code().name.lower()})") from None
        return reply.is_healthy


class MilvusProbe:
    """Probes by address; nothing is kept between two."""

    def __init__(self, *, port: int = MILVUS_PORT, seconds: float = SECONDS) -> None:
        self._port = port
        self._seconds = seconds

    async def look(self, address: str, password: str) -> Answer:
        """How Milvus at `address` stands; silence and errors are SILENT, never raised."""
        async with self._channel(address) as channel:
            try:
                if await self._login(channel, BORN_WITH).opens():
                    return Answer.UNSECURED
                ours = self._login(channel, password)
                well = not await ours.opens() or await ours.healthy()
            except Unavailable:
                return Answer.SILENT
            return Answer.ANSWERS if well else Answer.SILENT

    async def secure(self, address: str, password: str) -> None:
        """Replace the first password; done already is done.

        Raises:
            Unavailable: Milvus does not answer.
            CloudRefused: PASSWORD_NOT_SET, Milvus refused to change it.
        """
        request = milvus_pb2.UpdateCredentialRequest(
            username="root", old_password=_encoded(BORN_WITH), new_password=_encoded(password)
        )
        async with self._channel(address) as channel:
            born = self._login(channel, BORN_WITH)
            try:
                reply = await born.ask("UpdateCredential", request, milvus_pb2.Status)
            except grpc.aio.AioRpcError as failed:
                if failed.code() in _REFUSED:
                    return  # the first password opens nothing any more
                raise Unavailable(
                    f"Milvus does not answer ({failed.code().name.lower()})"
                ) from None
        if reply.error_code or reply.code:
            raise CloudRefused(
                f"Milvus refused to change the root password: {reply.reason}",
                reason="PASSWORD_NOT_SET",
            )

    @asynccontextmanager
    async def _channel(self, address: str) -> AsyncIterator[grpc.aio.Channel]:
        channel = grpc.aio.insecure_channel(f"{address}:{self._port}", options=_OPTIONS)
        try:
            yield channel
        finally:
            await channel.close()

    def _login(self, channel: grpc.aio.Channel, password: str) -> _Login:
        return _Login(channel, password, self._seconds)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
