# The shop: one machine of the service `application`. Context: the project's root.
FROM debian:12.15-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/*

FROM base AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv
WORKDIR /build
COPY bin/uv.lock bin/uv.lock
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --quiet --no-cache-dir --require-hashes -r bin/uv.lock
COPY shop/pyproject.toml shop/requirements.lock shop/
COPY instrument instrument
# bongsu-instrument comes from here and not from an index: it is there before its name is looked for.
RUN python3 -m venv --without-pip /opt/shop \
 && /opt/tools/bin/uv pip install --quiet --no-cache --python /opt/tools/bin/python -c shop/requirements.lock hatchling editables \
 && /opt/tools/bin/uv build --quiet --wheel --no-build-isolation --python /opt/tools/bin/python -o wheels instrument \
 && /opt/tools/bin/uv pip install --quiet --no-cache --no-deps --compile-bytecode --python /opt/shop/bin/python wheels/bongsu_instrument-*.whl \
 && /opt/tools/bin/uv pip install --quiet --no-cache --compile-bytecode --no-sources --python /opt/shop/bin/python -c shop/requirements.lock -r shop/pyproject.toml
COPY shop/README.md shop/README.md
COPY shop/src shop/src
RUN /opt/tools/bin/uv build --quiet --wheel --no-build-isolation --no-sources --python /opt/tools/bin/python -o wheels shop \
 && /opt/tools/bin/uv pip install --quiet --no-cache --no-deps --compile-bytecode --python /opt/shop/bin/python wheels/shop-*.whl

FROM base
# The same number as in bongsu.Dockerfile: the password file is written there and read here, by its owner alone.
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin shop
COPY --from=build /opt/shop /opt/shop
COPY deploy/answers /opt/deploy/
ENV PATH=/opt/shop/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
WORKDIR /tmp
USER shop
EXPOSE 8000 9100
CMD ["python", "-m", "shop", "serve", "--host", "0.0.0.0", "--port", "8000", "--metrics-port", "9100"]
