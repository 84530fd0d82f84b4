"""What handlers remember, wait for and count, and what comes of their messages."""
