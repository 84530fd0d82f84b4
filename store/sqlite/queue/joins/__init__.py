"""Joins: deliveries of one lane that are claimed and ended together.

The head of the lane is claimed like any delivery. It takes along those that wait behind it, with
its own fence and token. A statement that ends or renews such a group names the ids that were
handed over, the fence and the token, and changes exactly them, or the claim is lost.
"""
