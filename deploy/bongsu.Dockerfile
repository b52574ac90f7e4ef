# Bongsu, and the inbox for trying. Context: the project's root. `make replay-images` runs these steps without Docker.
FROM debian:12.15-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 tzdata \
 && rm -rf /var/lib/apt/lists/*

FROM base AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv
WORKDIR /build
COPY bin/uv.lock bin/uv.lock
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --quiet --no-cache-dir --require-hashes -r bin/uv.lock
# The lock is a constraint: of all that it pins, what this image runs, each file held against the lock's hashes.
COPY pyproject.toml requirements.lock ./
RUN python3 -m venv --without-pip /opt/bongsu \
 && /opt/tools/bin/uv pip install --quiet --no-cache --python /opt/tools/bin/python -c requirements.lock hatchling editables \
 && /opt/tools/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/bongsu/bin/python -c requirements.lock -r pyproject.toml --extra lab
COPY README.md LICENSE ./
COPY src src
RUN for po in src/bongsu/render/locales/*/LC_MESSAGES/messages.po; do \
      /opt/bongsu/bin/pybabel --quiet compile -i "$po" -o "${po%.po}.mo" || exit 1; \
    done \
 && /opt/tools/bin/uv build --quiet --wheel --no-build-isolation --python /opt/tools/bin/python -o /build/wheels . \
 && /opt/tools/bin/uv pip install --quiet --no-cache --no-deps --compile-bytecode --python /opt/bongsu/bin/python /build/wheels/*.whl

FROM base
# A new volume takes over the owner of the folder that it is mounted on.
RUN useradd --system --uid 10001 --home-dir /var/lib/bongsu --shell /usr/sbin/nologin bongsu \
 && install -d -o bongsu -g bongsu /var/lib/bongsu /var/lib/inbox \
      /secrets/grafana /secrets/haproxy /secrets/postgres /secrets/shop
COPY --from=build /opt/bongsu /opt/bongsu
COPY deploy/answers deploy/inbox.py deploy/secrets.sh /opt/deploy/
ENV PATH=/opt/bongsu/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 BONGSU_CONFIG=/etc/bongsu/bongsu.toml
WORKDIR /var/lib/bongsu
USER bongsu
EXPOSE 8080
CMD ["bongsu", "serve"]
