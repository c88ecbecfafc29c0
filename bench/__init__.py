"""Measures what the service claims of its speed, as ratios within one run: ``python -m bench``, or ``make bench``.

A time on its own tells as much of the machine as of the service. So each is divided by another that is taken in
turns with it: that of ``bench.floor``, the least that an answer from the database can cost here, or that of the
service itself under other conditions.
"""
