# syntax=docker/dockerfile:1
# docker build --build-arg STEPWELL_COMMIT="$(git rev-parse --short=12 HEAD)" -t stepwell .

FROM rust:1.95-bookworm AS build
WORKDIR /src
# The allocator is built for pages of a size, and runs where they are smaller: hosts of arm64 have up to 64 KiB.
RUN if [ "$(uname -m)" = aarch64 ]; then \
        echo 'env.JEMALLOC_SYS_WITH_LG_PAGE = "16"' >> "$CARGO_HOME/config.toml"; \
    fi
# First the dependencies, with sources that are empty: this layer changes when Cargo.lock does.
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY workflow/Cargo.toml workflow/Cargo.toml
COPY queue/Cargo.toml queue/Cargo.toml
COPY web/Cargo.toml web/Cargo.toml
COPY deploy/empty-sources.sh deploy/empty-sources.sh
RUN sh deploy/empty-sources.sh make \
    && cargo build --locked --release --bin stepwell \
    && sh deploy/empty-sources.sh remove
# Then what changes every day.
COPY . .
ARG STEPWELL_COMMIT=unknown
RUN sh deploy/empty-sources.sh outdate \
    && STEPWELL_COMMIT="$STEPWELL_COMMIT" cargo build --locked --release --bin stepwell \
    && strip --strip-debug target/release/stepwell

# glibc, libgcc and nothing else: no shell, no package manager. It runs as the user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/stepwell /usr/local/bin/stepwell
USER 65532:65532
# The API, gRPC, and where a worker is watched if it is told so.
EXPOSE 8080 50051 9090
# Of an API. A worker's is asked at its own address: docker-compose.yml has it.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/stepwell", "health", "http://127.0.0.1:8080/health/ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/stepwell"]
CMD ["help"]
