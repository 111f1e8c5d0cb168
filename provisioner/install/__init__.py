"""Installing Milvus on hosts: jobs in, per-host progress and results out."""
