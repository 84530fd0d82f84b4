"""One open database: its connections, transactions and clock."""
