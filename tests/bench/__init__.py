"""Kite beside its peers: calls, seconds and megabytes, with the bars they must keep."""
