# All images of MLVI from one file. Everything is built once; UNIT only chooses what an image holds and starts.
#
#   docker build -t mlvi/mlvi:0.1.0 .                                            the command line, with all units
#   docker build -t mlvi/web-server:0.1.0 --build-arg UNIT=web-server .          or preprocessor, edge-inference, cloud-inference,
#                                                                                results-store
#   docker build -t mlvi/camera:0.1.0 --target camera .                          the command line with ffmpeg: `mlvi push` reads cameras
#
# BuildKit, podman and buildah build it. An image (but camera's, which is a Debian) has no shell, runs as 65532:65532 and needs no writable root file system.
# Weights are not in it: `mlvi models fetch yolov3-tiny --into DIR` fills a volume.

# the version of rust-toolchain.toml
FROM rust:1.95.0-bookworm AS build
# libjpeg-turbo is built with cmake; its vector code for x86-64 with nasm (for arm64 with the compiler itself)
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends cmake nasm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# What cargo has fetched and compiled stays from build to build, an architecture each: a change compiles what hangs on it, and never the
# dependencies. cargo goes by the times of files, which say nothing of two checkouts that share a builder; so what differs from the last
# build by its checksum is made new, and all else old.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    export CARGO_TARGET_DIR=/src/target/$(uname -m) LC_ALL=C \
 && mkdir -p $CARGO_TARGET_DIR && touch $CARGO_TARGET_DIR/sources \
 && find crates -type f -exec sha256sum {} + | sort >/tmp/sources \
 && find crates -type f -exec touch --date=@0 {} + \
 && comm -23 /tmp/sources $CARGO_TARGET_DIR/sources | cut -c 67- | xargs --no-run-if-empty -d '\n' touch \
 && rm $CARGO_TARGET_DIR/sources \
 && cargo build --release --locked --bins \
 && cp /tmp/sources $CARGO_TARGET_DIR/sources \
 && for unit in web-server preprocessor edge-inference cloud-inference results-store mlvi; do \
      mkdir -p /out/$unit /out/mlvi && strip -o /out/$unit/$unit $CARGO_TARGET_DIR/release/$unit || exit 1; \
      ln -s $unit /out/$unit/entrypoint; \
      [ $unit = mlvi ] || cp /out/$unit/$unit /out/mlvi/; \
    done \
 && for command in mlvi-kubernetes mlvi-export; do \
      strip -o /out/mlvi/$command $CARGO_TARGET_DIR/release/$command || exit 1; \
    done

# The root file system without the binaries: the libraries that they are linked with, authorities, a user.
FROM build AS root
RUN mkdir -p /image/etc/ssl/certs /image/tmp /models && chmod 1777 /image/tmp \
 && ldd /out/mlvi/* | grep -o '/[^ :]*\.so[^ ]*' | sort -u | xargs -I{} cp -L --parents {} /image \
 && cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'mlvi:x:65532:65532:MLVI:/tmp:/sbin/nologin' >/image/etc/passwd \
 && echo 'mlvi:x:65532:' >/image/etc/group \
 && echo 'hosts: files dns' >/image/etc/nsswitch.conf

# What reads cameras: ffmpeg needs a few hundred libraries, so here it is a Debian.
FROM debian:bookworm-slim AS camera
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates ffmpeg libssl3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf /var/log/* \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && echo 'mlvi:x:65532:65532:MLVI:/tmp:/sbin/nologin' >>/etc/passwd \
 && echo 'mlvi:x:65532:' >>/etc/group
COPY --from=build /out/mlvi/mlvi /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/mlvi"]
CMD ["push", "--help"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlvi/camera" \
      org.opencontainers.image.description="MLVI decides for each video frame whether inference runs on the edge or in the cloud: its cameras" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM scratch
ARG UNIT=mlvi
COPY --from=root /image /
# an entry point knows no build arguments: it is a link to the binary
COPY --from=build /out/${UNIT} /usr/local/bin/
COPY models /usr/share/mlvi/models
# new volumes that are mounted here take this owner
COPY --from=root --chown=65532:65532 /models /models
COPY --from=root --chown=65532:65532 /models /history
ENV PATH=/usr/local/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    MLVI_MODELS_DIR=/usr/share/mlvi/models
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/entrypoint"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlvi/${UNIT}" \
      org.opencontainers.image.description="MLVI decides for each video frame whether inference runs on the edge or in the cloud: ${UNIT}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
