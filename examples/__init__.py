"""Complete small servers: what the default agent does not show."""
