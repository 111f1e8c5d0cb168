"""Milvus over its own port: asked as a client asks."""
