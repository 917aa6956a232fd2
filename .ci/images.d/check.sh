# What an image must be: small, without a shell, not root's, labelled. Sourced by .ci/images.

readonly largest_unit_mb=60

build_images() {
    local revision
    revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
    for image in mlvi "${units[@]}" "${add_ons[@]}"; do
        build "mlvi/$image:$version" --build-arg "UNIT=$image" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" .
    done
    build "mlvi/camera:$version" --target camera --build-arg "VERSION=$version" --build-arg "REVISION=$revision" .
}

check_images() {
    for image in mlvi "${units[@]}" "${add_ons[@]}"; do
        check_image "$image"
    done
    check_camera
    check_no_rebuild
}

# the one image that is a Debian: not root's, labelled, and its ffmpeg reads what cameras send
check_camera() {
    local image=localhost/mlvi/camera:$version
    inspect() { podman image inspect --format "$1" "$image"; }
    [[ $(inspect '{{.Config.User}}') == 65532:65532 ]] || die "mlvi/camera runs as $(inspect '{{.Config.User}}')"
    [[ $(inspect '{{index .Config.Labels "org.opencontainers.image.title"}}') == mlvi/camera ]] || die "mlvi/camera has no title"
    contained() { podman run --rm --read-only --cap-drop=ALL --security-opt=no-new-privileges --network=none "$@"; }
    [[ $(contained "$image" --version) == "mlvi $version" ]] || die "mlvi/camera does not run"
    contained --entrypoint ffmpeg "$image" -v error -protocols | grep -w rtp >/dev/null || die "ffmpeg of mlvi/camera knows no RTP"
    for name in rtsp mpjpeg h264 hevc; do
        contained --entrypoint ffmpeg "$image" -v error -demuxers | grep -w "$name" >/dev/null || die "ffmpeg of mlvi/camera cannot read $name"
    done
    printf '%-24s %3d MB, ffmpeg, user 65532\n' "mlvi/camera:$version" $(($(inspect '{{.Size}}') / 1000000))
}

check_image() {
    local name=mlvi/$1:$version image=localhost/mlvi/$1:$version
    inspect() { podman image inspect --format "$1" "$image"; }
    expect() { [[ $2 == "$3" ]] || die "$name: its $1 is '$2' where '$3' is expected"; }
    expect user "$(inspect '{{.Config.User}}')" 65532:65532
    expect "entry point" "$(inspect '{{.Config.Entrypoint}}')" "[/usr/local/bin/entrypoint]"
    expect title "$(inspect '{{index .Config.Labels "org.opencontainers.image.title"}}')" "mlvi/$1"
    expect licence "$(inspect '{{index .Config.Labels "org.opencontainers.image.licenses"}}')" Apache-2.0
    for label in description version revision; do
        [[ -n $(inspect "{{index .Config.Labels \"org.opencontainers.image.$label\"}}") ]] || die "$name has no $label label"
    done
    local tree
    tree=$(podman image mount "$image")
    (
        cd "$tree"
        find . -type f -o -type l | sort >"$work/files"
        find . -type f -perm /6000 >"$work/privileged"
        find . -path ./tmp -prune -o ! -type l -perm /o+w -print >"$work/writable"
    )
    podman image unmount "$image" >/dev/null
    if grep -E '/(sh|bash|dash|ash|busybox|perl|python[0-9.]*)$|\.(weights|onnx)$' "$work/files"; then
        die "$name has a shell, an interpreter or weights in it"
    fi
    [[ ! -s $work/privileged ]] || { cat "$work/privileged"; die "$name has files that give privileges"; }
    [[ ! -s $work/writable ]] || { cat "$work/writable"; die "$name has files that everyone can write"; }
    local bytes
    bytes=$(inspect '{{.Size}}')
    [[ $1 == mlvi || $bytes -le $((largest_unit_mb * 1000000)) ]] || die "$name has $((bytes / 1000000)) MB: more than $largest_unit_mb MB"
    local says
    says=$(podman run --rm --read-only --cap-drop=ALL --security-opt=no-new-privileges --network=none "$image" --version)
    if [[ $1 == mlvi ]]; then
        # a command of the other binary
        podman run --rm --read-only --cap-drop=ALL --network=none "$image" check --rules >/dev/null || die "$name cannot run mlvi check"
    fi
    expect "version" "$says" "$1 $version"
    printf '%-24s %3d MB, %d files, no shell, user 65532, says %s\n' "$name" $((bytes / 1000000)) "$(wc -l <"$work/files")" "$says"
}

# another unit comes from the same build: nothing is compiled again for it
check_no_rebuild() {
    for image in "${units[@]}" "${add_ons[@]}" camera; do
        ! grep -q Compiling "$work/build-mlvi-$image.log" || die "the image of $image was compiled anew"
    done
    echo "the units' images came from the first one's build"
}
