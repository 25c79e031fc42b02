# Vestnik as an image: built in two stages, run without root on a read-only root.
#   docker build -t vestnik .
#   docker run --read-only --tmpfs /tmp -v ./config:/etc/vestnik:ro -v ./secrets:/run/secrets:ro -p 9464:9464 vestnik
# Pin the base to a digest of yours: --build-arg PYTHON_IMAGE=python:3.12-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_PROJECT_ENVIRONMENT=/opt/vestnik
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install "uv==${UV_VERSION}"
WORKDIR /src
# The dependencies alone first, so that a change of ours does not fetch them again; every one by its hash.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN /opt/uv/bin/uv sync --frozen --no-default-groups --extra avro --extra fast --extra tokens --extra traces --no-install-project --python "$(command -v python3)"
COPY schemas schemas
COPY consumer consumer
RUN /opt/uv/bin/uv sync --frozen --no-default-groups --extra avro --extra fast --extra tokens --extra traces --no-editable --python "$(command -v python3)"

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
