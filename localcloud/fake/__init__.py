"""A fast EC2 for ten thousand machines: the strict rules in front of a state machine of our own.

It speaks for exactly the actions Kite makes and refuses all others.
"""
