"""What an answer costs here and what it costs in the plain in-process server, measured side by side."""
