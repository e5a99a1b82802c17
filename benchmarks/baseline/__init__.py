"""What a team would run instead: the official `ChatKitServer` inside its HTTP process, on the same Postgres."""
