"""What a handler does once: its steps, one by one and side by side."""
