# podman, installed when it is missing, with settings and storage of its own below target/images: the machine's are left alone.
# Sourced by .ci/images.

readonly work=$root/target/images

# the one way out that is not a failure: a machine on which podman cannot be had
install_engine() {
    local packages=(podman buildah runc netavark aardvark-dns debootstrap curl python3 python3-yaml python3-venv)
    local missing=()
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    [[ $(id -u) -eq 0 ]] || die "${missing[*]}: not installed, and only root can install packages"
    export DEBIAN_FRONTEND=noninteractive
    local log=$work/apt.log
    if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        # a package list that says how to get podman means that installing has failed, which is for a person to look at
        [[ -z $(apt-cache policy podman | awk '/Candidate:/ && $2 != "(none)"') ]] || die "apt cannot install ${missing[*]}"
        echo "podman is not installable here: apt knows no package of that name; images were neither built nor run"
        exit 0
    fi
}

configure_engine() {
    mkdir -p "$work"/{storage,run,volumes,tmp}
    # where builds keep what cargo has made, too
    export TMPDIR=$work/tmp
    cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=8192:8192", "nproc=4096:4096"]
[engine]
runtime = "runc"
# works with and without systemd
cgroup_manager = "cgroupfs"
events_logger = "file"
volume_path = "$work/volumes"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
CONF
    cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$work/run"
CONF
    # a name without a host is an image that was made here, or none
    echo 'unqualified-search-registries = []' >"$work/registries.conf"
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"
    export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
    export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
    podman info --format '{{.Host.OCIRuntime.Name}} {{.Store.GraphDriverName}} {{.Host.NetworkBackend}}' ||
        die "podman does not work here"
}

# a pip, and podman-compose
make_python() {
    [[ -x $work/python/bin/podman-compose ]] && return
    python3 -m venv "$work/python"
    "$work/python/bin/pip" install --quiet --disable-pip-version-check podman-compose==1.6.0
}

# has IMAGE
has() { podman image exists "localhost/$1"; }

# build TAG ARGUMENTS...: the log is shown only when the build fails
build() {
    local tag=$1 log
    shift
    log=$work/build-$(tr / - <<<"${tag%%:*}").log
    local began=$SECONDS
    if ! nice -n 10 podman build --pull=never --layers --network=host --signature-policy "$work/policy.json" \
        --tag "localhost/$tag" "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        die "$tag could not be built; all of it is in $log"
    fi
    echo "built $tag in $((SECONDS - began)) s"
}
