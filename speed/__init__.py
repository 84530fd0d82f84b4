"""How fast a store and its workers are on this machine and disk: what `fencepost bench` measures."""
