# One image for the API, the workers and the migrations: its command says which.
#   --build-arg PYTHON=3.12   another Python, 3.11 or newer
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS packages
COPY local/uv.lock requirements.lock /build/
RUN pip install --no-cache-dir --require-hashes -r /build/uv.lock \
    && python -m venv --without-pip /packages \
    && uv pip sync --no-cache --require-hashes --compile-bytecode --python /packages/bin/python \
        /build/requirements.lock

FROM python:${PYTHON}-slim
# tini passes SIGTERM on from the first moment, while Python is still importing, and buries what tools leave behind.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent chatkit \
    && install --directory --owner=chatkit --mode=700 /attachments
COPY --from=packages /packages /packages
WORKDIR /app
COPY pyproject.toml ./
COPY shared shared
COPY migrations migrations
COPY api api
COPY worker worker
# Compiled here: the root file system may be read-only, and is in docker-compose.yml and deploy/kubernetes.
RUN python -m compileall -q shared migrations api worker
ENV PATH=/packages/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 \
    ATTACHMENTS_DIR=/attachments
USER 10001
EXPOSE 8000
# Whether it is alive and ready is the orchestrator's question: /livez and /readyz, of the API alone.
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "api"]
