"""The contract with the outside: events in, journal records and dead letters out."""
