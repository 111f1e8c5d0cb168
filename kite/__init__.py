"""Kite: managed Milvus clusters on your own EC2."""

__version__ = "0.1.0"
