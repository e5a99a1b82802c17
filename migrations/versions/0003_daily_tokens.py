"""daily tokens: what each user's runs take of their models (docs/decisions/0012)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEEN = "user_id = current_setting('chatkit.user_id', true) OR current_setting('chatkit.scope', true) = 'all'"


def upgrade() -> None:
    op.create_table(
        "daily_tokens",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "day"),
    )
    op.execute("ALTER TABLE daily_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_user ON daily_tokens USING ({SEEN}) WITH CHECK ({SEEN})")


def downgrade() -> None:
    op.drop_table("daily_tokens")
