"""Machines: the reconcile loop over EC2, from a wish to a Milvus that answers, and back."""
