"""Providers: each file is one provider, and only this room and `app` know aiohttp."""
