"""The store held against models of it in plain Python, over random calls in random order.

A model shares no code with the store and does what docs/ and the docstrings say, as if all
that happens by itself happened on the moment. A machine makes the same call to both and
compares the answers, then all that can be seen. The suite runs each for some seconds and
always the same way; HYPOTHESIS_PROFILE=long runs thousands of examples of its own choice.
"""
