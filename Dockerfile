# Vestnik as an image: built in two stages, run without root on a read-only root.
#   docker build -t vestnik .
#   docker run --read-only --tmpfs /tmp -v ./config:/etc/vestnik:ro -v ./secrets:/run/secrets:ro -p 9464:9464 vestnik
# Pin the base to a digest of yours: --build-arg PYTHON_IMAGE=python:3.12-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
# They make machine code of the core; a base with Debian's own Python needs python3-dev too. Empty: an image in plain Python.
ARG COMPILER="gcc libc6-dev"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1
# Without versions: a distribution keeps only its newest, and the base says which distribution it is.
# hadolint ignore=DL3008,SC2086
RUN [ -z "$COMPILER" ] || { apt-get update && apt-get install --yes --no-install-recommends $COMPILER && rm -rf /var/lib/apt/lists/*; }
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install "uv==${UV_VERSION}"
WORKDIR /src
# The dependencies alone first, so that a change of ours does not fetch them again; every one by its hash. Those that build
# the wheel stand apart from those that run it.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN UV_PROJECT_ENVIRONMENT=/opt/vestnik /opt/uv/bin/uv sync --frozen --no-default-groups --extra avro --extra fast --extra tokens --extra traces --no-install-project --python "$(command -v python3)" \
    && UV_PROJECT_ENVIRONMENT=/opt/builder /opt/uv/bin/uv sync --frozen --no-default-groups --group compile --no-install-project --python "$(command -v python3)"
COPY scripts/compile_core.py scripts/
COPY schemas schemas
COPY consumer consumer
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM=${COMPILER:+true} /opt/builder/bin/python -m hatchling build --target wheel \
    && /opt/uv/bin/uv pip install --python /opt/vestnik/bin/python --no-deps dist/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="vestnik" \
      org.opencontainers.image.description="Order and bonus events from Kafka become push notifications." \
      org.opencontainers.image.licenses="MIT"
# A number, so that Kubernetes can see that it is not root; no shell, no home, nothing that it may write.
RUN groupadd --gid 10001 vestnik \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vestnik
COPY --from=build /opt/vestnik /opt/vestnik
ENV PATH=/opt/vestnik/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    VESTNIK_CONFIG=/etc/vestnik/vestnik.yaml
USER 10001:10001
WORKDIR /etc/vestnik
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["vestnik", "health"]
ENTRYPOINT ["vestnik"]
CMD ["run"]
