"""One open database: its connection, its transactions and its clock."""
