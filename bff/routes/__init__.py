"""Handlers: translate, call, translate."""
