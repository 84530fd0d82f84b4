"""Work that several scenarios do on a store, on any engine."""
