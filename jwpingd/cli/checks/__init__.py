"""What `jwpingd check` looks at: one file a subject.

Nothing here makes, changes or deletes anything, and ids least of all: only `run` makes those.
"""
