"""One file for each sender whose signatures are known."""
