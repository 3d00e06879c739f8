"""Measurements that the README quotes. results/ keeps them.

`make bench` runs them, but for `pointing` and `real_footage`, which need photographs and clips.
"""
