"""Measurements that the README quotes. results/ keeps them.

`make bench` runs them, but for `pointing`, which needs photographs.
"""
