"""SQLite held against the reference in plain Python, over random calls in random order.

A machine makes the same call to both and compares the answers, then all that can be seen. The
suite runs each for some seconds and always the same way; HYPOTHESIS_PROFILE=long runs
thousands of examples of its own choice.
"""
