# The inner loop, for https://just.systems: `just` lists it. CONTRIBUTING.md says more.

# what there is
default:
    @just --list

# the whole suite in one process, on a broker of its own
up *ARGS:
    cargo run --release -p mlvi -- up {{ARGS}}

# every binary
build:
    cargo build --release --workspace

# all tests, or those of one crate: just test offload
test CRATE="":
    cargo test --release {{ if CRATE == "" { "--workspace" } else { "-p " + CRATE } }}

# one whole journey by a part of its name: just journey redispatch
journey NAME:
    cargo test --release --workspace --test journeys -- {{NAME}} --nocapture

# what every change must pass before the tests
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# steps of the whole run by name: just ci tests lints; all of them without a name
ci *STEPS:
    .ci/run {{STEPS}}

# the contract and the journeys on a real Apache Kafka
kafka:
    .ci/run kafka

# how long each crate takes to compile: target/cargo-timings
timings:
    cargo build --release -p mlvi --timings
