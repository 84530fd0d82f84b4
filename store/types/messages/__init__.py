"""Messages on their way: drafts, receipts, limits and states."""
