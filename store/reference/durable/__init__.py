"""What handlers remember and wait for, in memory."""
