# The images that the Dockerfile and docker-compose.yml start from, made on this machine under the names that they have there.
# Sourced by .ci/images.

make_bases() {
    make_debian
    make_rust
    make_kafka
}

make_debian() {
    has debian:bookworm-slim && return
    local tarball=$work/debian-bookworm.tar
    if [[ ! -e $tarball ]]; then
        local folder=$work/rootfs
        rm -rf "$folder"
        echo "making a Debian 12 root file system"
        debootstrap --variant=minbase bookworm "$folder" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 20 "$work/debootstrap.log" >&2; die "debootstrap failed"; }
        rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
        # updates, from where debootstrap got the rest
        local mirror
        mirror=$(awk '$1 == "deb" { print $2; exit }' "$folder/etc/apt/sources.list")
        mirror=${mirror%/}
        printf 'deb %s bookworm-updates main\ndeb %s-security bookworm-security main\n' "$mirror" "$mirror" >>"$folder/etc/apt/sources.list"
        # authorities that this machine trusts beyond Debian's, so that the build reaches the registries as the machine does
        mkdir -p "$folder/usr/local/share/ca-certificates"
        find /usr/local/share/ca-certificates -name '*.crt' -exec cp -L {} "$folder/usr/local/share/ca-certificates/" \;
        tar -C "$folder" -c . >"$tarball.part"
        mv "$tarball.part" "$tarball"
        rm -rf "$folder"
    fi
    podman import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'CMD ["bash"]' \
        "$tarball" localhost/debian:bookworm-slim >"$work/import.log" 2>&1 || { cat "$work/import.log" >&2; die "podman cannot import it"; }
}

# what the official image of this name has that our build needs, with the toolchain of this machine; the Dockerfile adds cmake and nasm
# to both
make_rust() {
    local image sysroot
    image=$(sed -n 's/^FROM \(rust:[^ ]*\) AS build$/\1/p' Dockerfile)
    [[ $(rustc --version) == "rustc ${image//[^0-9.]/} "* ]] || die "the Dockerfile starts from $image, and here is $(rustc --version)"
    has "$image" && return
    sysroot=$(rustc --print sysroot)
    build "$image" --file - --ignorefile /dev/null "$sysroot" <<'FILE'
FROM debian:bookworm-slim
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      ca-certificates g++ libc6-dev libssl-dev make perl pkg-config python3 \
 && update-ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY bin /usr/local/bin
COPY lib /usr/local/lib
ENV CARGO_HOME=/usr/local/cargo
FILE
}

# Apache Kafka as the official image has it: a Java, the jars in /opt/kafka/libs, an own user, and a folder for data that is its own
make_kafka() {
    has "$kafka_image" && return
    local libs
    libs=$(KAFKA_VERSION=${kafka_image##*:} .ci/kafka get)
    build "$kafka_image" --file - --ignorefile /dev/null "$libs" <<'FILE'
FROM debian:bookworm-slim
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends default-jre-headless \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --user-group --home-dir /home/appuser --create-home appuser \
 && mkdir -p /var/lib/kafka/data && chown -R appuser:appuser /var/lib/kafka
COPY *.jar /opt/kafka/libs/
USER appuser
FILE
}
