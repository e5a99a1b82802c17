# One image for the API, the workers and the migrations: its command says which.

FROM python:3.13-slim AS packages
COPY local/uv.lock requirements.lock /build/
RUN pip install --no-cache-dir --require-hashes -r /build/uv.lock \
    && python -m venv --without-pip /packages \
    && uv pip sync --no-cache --require-hashes --compile-bytecode --python /packages/bin/python \
        /build/requirements.lock

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent chatkit \
    && install --directory --owner=chatkit --mode=700 /attachments
COPY --from=packages /packages /packages
WORKDIR /app
COPY pyproject.toml ./
COPY shared shared
COPY migrations migrations
COPY api api
COPY worker worker
ENV PATH=/packages/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 \
    ATTACHMENTS_DIR=/attachments
USER chatkit
EXPOSE 8000
CMD ["python", "-m", "api"]
