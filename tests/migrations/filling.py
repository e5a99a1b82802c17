"""One row in every table, all of one user's."""

_ROWS = """
INSERT INTO conversations (id, user_id) VALUES ('thr_{user}', '{user}');
INSERT INTO runs (id, conversation_id, user_id, kind, deadline)
VALUES ('run_{user}', 'thr_{user}', '{user}', 'respond', now());
INSERT INTO messages (conversation_id, id, run_id, position, type)
VALUES ('thr_{user}', 'msg_{user}', 'run_{user}', 1, 'task');
INSERT INTO turns (run_id, conversation_id, position) VALUES ('run_{user}', 'thr_{user}', 1);
INSERT INTO run_steps (run_id, path, n, fingerprint) VALUES ('run_{user}', '1', 0, 'f');
INSERT INTO tool_calls (run_id, path, n, index, name, idempotency_key) VALUES ('run_{user}', '1', 0, 0, 'add', 'k');
INSERT INTO idempotency_keys (user_id, key, run_id, fingerprint) VALUES ('{user}', 'k', 'run_{user}', 'f');
INSERT INTO attachments (id, user_id, conversation_id, name, mime_type, size)
VALUES ('atc_{user}', '{user}', 'thr_{user}', 'n', 't', 1);
INSERT INTO feedback (id, user_id, conversation_id, kind) VALUES ('fb_{user}', '{user}', 'thr_{user}', 'positive');
INSERT INTO daily_tokens (user_id, day, tokens) VALUES ('{user}', now(), 1);
INSERT INTO tasks (id, user_id, title) VALUES ('task_{user}', '{user}', 'milk');
"""


def filling_of(user: str) -> str:
    """The statements; their ids carry the user's name."""
    return _ROWS.format(user=user)
