"""The lane at work: asyncio over ports, never over adapters."""
