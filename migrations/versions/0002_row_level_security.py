"""row-level security: the second wall around each user's rows (docs/decisions/0009)."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OWNED = ("conversations", "runs", "idempotency_keys", "attachments", "feedback", "tasks")
BELOW = {
    "messages": "SELECT true FROM conversations c WHERE c.id = messages.conversation_id",
    "turns": "SELECT true FROM conversations c WHERE c.id = turns.conversation_id",
    "run_steps": "SELECT true FROM runs r WHERE r.id = run_steps.run_id",
    "tool_calls": "SELECT true FROM runs r WHERE r.id = tool_calls.run_id",
}
"""The row above, whose own policy decides. Not EXISTS: that is planned as a hash of every conversation there is."""

SEEN = "user_id = current_setting('chatkit.user_id', true) OR current_setting('chatkit.scope', true) = 'all'"


def upgrade() -> None:
    for table in OWNED:
        _guard(table, SEEN)
    for table, above in BELOW.items():
        _guard(table, f"({above})")


def downgrade() -> None:
    for table in (*BELOW, *OWNED):
        op.execute(f"DROP POLICY of_user ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")


def _guard(table: str, rule: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_user ON {table} USING ({rule}) WITH CHECK ({rule})")
