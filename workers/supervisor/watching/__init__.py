"""Workers that are late, stuck or dead."""
