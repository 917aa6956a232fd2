# What the suite must survive, container by container. Sourced by .ci/images.

run_suite() {
    step "credentials, broker, users, topics, units"
    take_tool
    prepare_suite
    start_broker
    make_topics
    for unit in "${units[@]}"; do start_unit "$unit"; done
    await_ready 120 "${units[@]}"
    check_containers
    step "a photo through the edge and through the cloud"
    photo_through edge
    photo_through cloud
    use_policy "$(<"$suite/policy.toml")"
    camera_plays
    for unit in preprocessor edge-inference cloud-inference web-server; do
        unit_stops "$unit"
    done
    broker_stops
}

# what runs is what was asked for, seen from the outside
check_containers() {
    local name pid status
    for name in edge-broker "${units[@]}"; do
        pid=$(podman inspect --format '{{.State.Pid}}' "$prefix-$name")
        status=$(</proc/"$pid"/status)
        grep -q '^CapEff:[[:space:]]*0000000000000000$' <<<"$status" || die "$name has capabilities"
        grep -q '^NoNewPrivs:[[:space:]]*1$' <<<"$status" || die "$name could gain privileges"
        ! grep -q '^Uid:[[:space:]]*0' <<<"$status" || die "$name runs as root"
        grep -q ' / [^ ]* *ro[, ]' "/proc/$pid/mountinfo" || die "the root file system of $name is writable"
    done
    echo "five containers: not root, no capabilities, no new privileges, a read-only root file system"
}

# the policy is a mounted folder, as a ConfigMap is: it is read again without a restart
use_policy() {
    chmod u+w "$suite/policy"
    echo "$1" >"$suite/policy/.new"
    chmod 644 "$suite/policy/.new"
    mv "$suite/policy/.new" "$suite/policy/policy.toml"
}

photo_through() {
    use_policy "policy = \"$1-only\""
    local answer=
    for _ in $(seq 30); do
        answer=$(curl -sS --max-time 60 -F image=@images/coffee.jpg "$url/inference?wait=30s") || true
        if grep -q "\"policy\":\"$1-only\"" <<<"$answer"; then break; fi
        sleep 0.5
    done
    for part in "\"policy\":\"$1-only\"" "\"destination\":\"$1\"" "\"unit\":\"$1-inference\"" '"class":"cup"'; do
        grep -qF "$part" <<<"$answer" || { echo "$answer" >&2; die "$part is not in the answer"; }
    done
    echo "$1: $(grep -o '"class":"cup"[^}]*' <<<"$answer")"
}

# the image with ffmpeg, contained as deploy/camera has it, sends a moving picture, and every frame gets a result
camera_plays() {
    local said
    said=$(podman run --rm --name "$prefix-camera" "${hardened[@]}" --user 65532:65532 "localhost/mlvi/camera:$version" \
        push --server=http://web-server:5000 --frames 10 synthetic:320x240 2>&1) || die "mlvi/camera: $said"
    grep -q '^10 results, ' <<<"$said" || die "mlvi/camera: $said"
    echo "camera: $said"
}

burst() { .ci/images.d/burst.py "$@"; }

# SIGTERM in the middle of a burst, and a start again: a deployment's rollout with nothing to take over
unit_stops() {
    step "SIGTERM to $1 during a burst"
    burst send "$url" images/coffee.jpg 8 8 "$suite/jobs" &
    local sender=$!
    sleep 3
    podman stop "$prefix-$1" >/dev/null
    local code
    code=$(podman inspect --format '{{.State.ExitCode}}' "$prefix-$1")
    [[ $code == 0 ]] || { podman logs --tail 20 "$prefix-$1" >&2; die "$1 ended with $code on SIGTERM"; }
    podman start "$prefix-$1" >/dev/null
    wait "$sender"
    await_ready 90 "${units[@]}"
    burst collect "$url" "$suite/jobs" 120
}

broker_stops() {
    step "the broker is stopped during a burst and started again"
    burst send "$url" images/coffee.jpg 20 5 "$suite/jobs" &
    local sender=$!
    sleep 4
    podman stop --time 60 "$prefix-edge-broker" >/dev/null
    local unit
    for unit in "${units[@]}"; do
        podman exec "$prefix-$unit" "/usr/local/bin/$unit" --live >/dev/null || die "$unit counts as dead without a broker"
        [[ $unit != web-server ]] || continue
        for _ in $(seq 60); do is_ready "$unit" || break; sleep 0.5; done
        ! is_ready "$unit" || die "$unit says that it is ready without a broker"
    done
    is_ready web-server || die "web-server is not ready without the broker, and could tell nobody why"
    local head
    head=$(curl -s -D - -o /dev/null --max-time 30 -F image=@images/coffee.jpg "$url/inference")
    grep -q '^HTTP/1.1 503' <<<"$head" || die "without the broker an upload got: $head"
    grep -qi '^retry-after: [0-9]' <<<"$head" || die "a 503 without Retry-After: $head"
    echo "without the broker web-server answers 503 with Retry-After, no other unit is ready, and all are alive"
    podman start "$prefix-edge-broker" >/dev/null
    wait "$sender"
    await_ready 120 "${units[@]}"
    burst collect "$url" "$suite/jobs" 180
    for unit in "${units[@]}"; do
        [[ $(podman inspect --format '{{.RestartCount}}' "$prefix-$unit") == 0 ]] || die "$unit was restarted"
    done
}
