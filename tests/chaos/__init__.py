"""Chaos: the running product, killed and stopped at random while users work, then audited."""
