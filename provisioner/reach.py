"""Does SSH answer? One connection and its first words, nothing else."""

import asyncio

SECONDS = 1.0


async def ssh_answers(address: str, port: int = 22, *, seconds: float = SECONDS) -> bool:
    """Whether an SSH server greets at `address`; silence and refusal are False."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return (await reader.read(4)).startswith(b"SSH-")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
