"""What the kernel offers and Python does not: memfd, parent death signals, sd_notify."""
