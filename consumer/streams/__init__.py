"""Streams: the only room that knows aiokafka, and the same ports over JSON lines and memory."""
