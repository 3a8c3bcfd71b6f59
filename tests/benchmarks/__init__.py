"""What the daemon costs, beside the least that the same work costs here: `python -m tests.benchmarks`.

Every figure stands beside a floor that was taken in the same run, because a machine's own speed wanders.
`programs` are the floors, and others to compare with; each file here measures one kind of cost.
"""
