# Two stages: the first builds the wheel and installs it with everything it needs, each file checked against its
# hash; the second is a Python and that directory, run by a user without a name, rights or home. No shell is needed
# at run time.
# Python is the version the tests run on. To stand on the very same base every time, give its digest:
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:… --tag bundlewatch:0.1.0 .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# The time that goes into archives; with it, byte code goes by the hash of its source and not by a date.
ARG SOURCE_DATE_EPOCH=315532800
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source

# What the operator needs changes seldom: a layer of its own, made before any source is copied.
# Only wheels: nothing of a package is executed here, and no compiler is needed.
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv --without-pip /opt/bundlewatch
RUN pip --python /opt/bundlewatch/bin/python install --require-hashes --only-binary=:all: --requirement requirements/runtime.txt

# The build backend, from the same lock that developers have: hatchling and what it imports.
COPY requirements/dev.txt requirements/dev.txt
RUN awk '/^[a-z]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' requirements/dev.txt > requirements/build.txt
RUN pip install --require-hashes --only-binary=:all: --requirement requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN pip wheel --no-build-isolation --no-deps --wheel-dir dist .
RUN pip --python /opt/bundlewatch/bin/python install --no-deps --no-index --find-links dist bundlewatch
RUN pip --python /opt/bundlewatch/bin/python check
# An image that cannot start is not to come out of this at all.
RUN cd / && /opt/bundlewatch/bin/python -m bundlewatch run --help

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="bundlewatch" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/bundlewatch /opt/bundlewatch
# Never a module from the working directory; no byte code written, as the file system is read-only; no buffering,
# so that the last lines of the log are there after a crash.
ENV PATH=/opt/bundlewatch/bin:$PATH PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /
# By number: Kubernetes can only tell that a number is not root.
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["python", "-m", "bundlewatch"]
CMD ["run"]
