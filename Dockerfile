# Debian with its Python. BASE may be any root of Debian 13 or newer.
ARG BASE=docker.io/library/debian:trixie-slim

FROM $BASE AS build
# Debian has one version of each package
# hadolint ignore=DL3008
RUN apt-get update --quiet=2 \
    && apt-get install --quiet=2 --yes --no-install-recommends python3-pip python3-setuptools python3-venv
RUN python3 -m venv --without-pip /opt/awx-instances
WORKDIR /src
COPY requirements.txt .
RUN python3 -m pip --python /opt/awx-instances/bin/python install --quiet --no-cache-dir --no-deps \
    --require-hashes --only-binary :all: --requirement requirements.txt
COPY . .
# Built by Debian's setuptools, so that nothing is fetched that has no hash
RUN python3 -m pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python3 -m pip --python /opt/awx-instances/bin/python install --quiet --no-cache-dir --no-deps --no-index \
    /wheels/*.whl

FROM $BASE
# hadolint ignore=DL3008
RUN apt-get update --quiet=2 \
    && apt-get install --quiet=2 --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
COPY --from=build /opt/awx-instances /opt/awx-instances
ENV PATH=/opt/awx-instances/bin:$PATH HOME=/tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["awx-instances"]
CMD ["serve", "--bind", "0.0.0.0:8000"]
