"""Linux system calls that Python lacks: memfd, parent death signals, sd_notify."""
