# All images of MLVI from one file. Everything is built once; UNIT only chooses what an image holds and starts.
#
#   docker build -t mlvi/mlvi:0.1.0 .                                            the command line, with all units
#   docker build -t mlvi/web-server:0.1.0 --build-arg UNIT=web-server .          or preprocessor, edge-inference, cloud-inference
#
# podman and buildah build it as well. An image has no shell, runs as 65532:65532 and needs no writable root file system.
# Weights are not in it: `mlvi models fetch yolov3-tiny --into DIR` fills a volume.

# What the dependencies hang on: the manifests, and sources that are empty. A change in a crate leaves this as it is.
FROM rust:1-bookworm AS manifests
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# targets that a manifest names have no file any more; times are part of what the next stage is remembered by
RUN find crates -type f ! -name Cargo.toml ! -path 'crates/*/src/lib.rs' ! -path 'crates/*/src/main.rs' -delete \
 && find crates -type d -empty -delete \
 && find crates -name lib.rs -exec truncate --size=0 {} + \
 && find crates -name main.rs -exec sh -c 'for file; do echo "fn main() { }" >"$file"; done' sh {} + \
 && find crates -name Cargo.toml -exec sed -i '/^\[\[/,/^$/d' {} + \
 && find . -exec touch --date=@0 {} +

FROM rust:1-bookworm AS build
WORKDIR /src
COPY --from=manifests /src ./
RUN cargo build --release --locked --bins
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# files are as old as the checkout, and cargo would take the empty sources for newer
RUN find crates -name '*.rs' -exec touch {} + \
 && cargo build --release --locked --offline --bins \
 && for unit in web-server preprocessor edge-inference cloud-inference mlvi; do \
      mkdir -p "/out/$unit" /out/mlvi && strip -o "/out/$unit/$unit" "target/release/$unit" || exit 1; \
      ln -s "$unit" "/out/$unit/entrypoint"; \
      [ "$unit" = mlvi ] || cp "/out/$unit/$unit" /out/mlvi/; \
    done

# The root file system without the binaries: the libraries that they are linked with, authorities, a user.
FROM build AS root
RUN mkdir -p /image/etc/ssl/certs /image/tmp /models && chmod 1777 /image/tmp \
 && ldd /out/mlvi/* | grep -o '/[^ :]*\.so[^ ]*' | sort -u | xargs -I{} cp -L --parents {} /image \
 && cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'mlvi:x:65532:65532:MLVI:/tmp:/sbin/nologin' >/image/etc/passwd \
 && echo 'mlvi:x:65532:' >/image/etc/group \
 && echo 'hosts: files dns' >/image/etc/nsswitch.conf

FROM scratch
ARG UNIT=mlvi
COPY --from=root /image /
# an entry point knows no build arguments: it is a link to the binary
COPY --from=build /out/${UNIT} /usr/local/bin/
COPY models /usr/share/mlvi/models
# a new volume that is mounted here takes this owner
COPY --from=root --chown=65532:65532 /models /models
ENV PATH=/usr/local/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    MLVI_MODELS_DIR=/usr/share/mlvi/models
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/entrypoint"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlvi/${UNIT}" \
      org.opencontainers.image.description="MLVI decides frame by frame whether the edge or the cloud looks at a video frame: ${UNIT}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
