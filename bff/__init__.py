"""The edge: one JSON API over HTTP in front of Kite's gRPC services."""
