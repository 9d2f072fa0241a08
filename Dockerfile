# One image for every role: `belay` is the entry point, the sub-command is the role.
#   docker build -t belay .
#   docker run --init -e REDIS_URL=redis://redis:6379 belay reap

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libhiredis-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# The dependencies first: this layer is built anew only when the manifest changes.
COPY Package.swift ./
RUN swift package resolve
COPY lua lua
COPY Sources Sources
COPY Tests Tests
# The Swift libraries go into the program, so that the image below needs no Swift.
RUN swift build -c release --product belay --static-swift-stdlib \
    && strip .build/release/belay

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libhiredis0.14 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 belay \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin belay
COPY --from=build /build/.build/release/belay /usr/local/bin/belay
USER 10001:10001
WORKDIR /tmp
# No HEALTHCHECK: what is healthy differs by role, and whoever runs the role knows it (see docker-compose.yml).
ENTRYPOINT ["belay"]
CMD ["--help"]
