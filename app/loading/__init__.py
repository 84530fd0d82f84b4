"""Loading an app: the TARGET that names it, and the source that its modules had."""
