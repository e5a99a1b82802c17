"""The words both sides must agree on: records, the event log, the queue, identity, settings."""
