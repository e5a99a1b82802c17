"""What the default agent can do, one subject a file."""
