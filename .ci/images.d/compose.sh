# docker-compose.yml, brought up for real by podman-compose. Sourced by .ci/images.

compose() { MLVI_PORT=$port "$work/python/bin/podman-compose" --project-name "$prefix" "$@" >>"$work/compose.log" 2>&1; }

run_compose() {
    step "docker-compose.yml: up, a photo, down"
    : >"$work/compose.log"
    remove_suite
    take_tool
    fetch_model
    # its own service would ask the network; here it finds the right weights and only verifies them
    podman volume create "${prefix}_models" >/dev/null
    run_tool 65532 --volume "${prefix}_models:/models" --volume "$work/models:/weights:ro" "localhost/mlvi/mlvi:$version" \
        models fetch yolov3-tiny --into /models --from /weights/yolov3-tiny.weights
    compose up --detach --no-build || { tail -n 20 "$work/compose.log" >&2; die "podman-compose cannot bring it up"; }
    local answer= unit
    for _ in $(seq 120); do
        answer=$(curl -sS --max-time 60 -F image=@images/coffee.jpg "$url/inference?wait=30s" 2>/dev/null) || true
        if grep -q '"class":"cup"' <<<"$answer"; then break; fi
        sleep 1
    done
    grep -q '"class":"cup"' <<<"$answer" || { echo "$answer" >&2; die "there is no cup in the answer"; }
    for unit in edge-broker "${units[@]}"; do
        # one tier is enough for the cup: the other one may still be looking for the broker, which began after it
        for _ in $(seq 90); do
            if podman healthcheck run "${prefix}_${unit}_1" >/dev/null 2>"$work/health"; then continue 2; fi
            sleep 1
        done
        cat "$work/health" >&2
        die "$unit is not healthy"
    done
    echo "a cup is found, broker and units are healthy"
    compose down --volumes || { tail -n 20 "$work/compose.log" >&2; die "podman-compose cannot take it down"; }
}
