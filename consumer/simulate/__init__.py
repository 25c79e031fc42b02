"""A day of traffic in virtual time, against the real core."""
