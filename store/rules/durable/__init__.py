"""Steps, answers, groups and the ends of messages."""
