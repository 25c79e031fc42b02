"""Pure rules: values in, values out; no clock, no network, no asyncio."""
