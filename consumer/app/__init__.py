"""Configuration, wiring, command line, metrics, logs and the admin port: the one room that knows everyone."""
