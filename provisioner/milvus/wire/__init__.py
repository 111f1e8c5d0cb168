"""Generated from milvus.proto in this folder; a small subset, compatible on the wire."""
