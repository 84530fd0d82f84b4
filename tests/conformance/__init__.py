"""What the tests of the store are worth: each fault planted in the plain engine fails one."""
