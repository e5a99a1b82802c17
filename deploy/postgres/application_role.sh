#!/bin/sh
# Run once by the postgres image, when it makes its database: the role of the API and the workers. It owns nothing and
# is no superuser, so row-level security holds for it; what it may touch, the migrations grant.
set -eu
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE chatkit_app LOGIN PASSWORD :'password';
SQL
