"""What stands between a socket and a handler: identity, bodies, limits, failures."""
