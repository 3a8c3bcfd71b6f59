"""Faults made on purpose: power cuts, damaged stores, full and read-only flash, long spells offline.

`recorder` writes down what a process does to its files, `disk` plays it back up to a power cut.
Commands that anyone can run: `python -m tests.faults.power_cuts`, `….damaged_stores`, `….long_offline`.
"""
