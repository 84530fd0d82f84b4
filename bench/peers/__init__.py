"""Fencepost beside other queues, in one run.

python -m bench.peers           # everything; builds .venvs/peers first
python -m bench.peers --only fencepost huey litequeue --sizes 1024

`queues/` has one file for each queue and says how it is driven and what it promises.
"""
