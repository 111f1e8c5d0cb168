"""The registry: records of all clusters, who may act on them, and their story."""
