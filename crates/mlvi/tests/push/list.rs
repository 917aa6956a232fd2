//! `--cameras FILE`.

use crate::ffmpeg::FakeFfmpeg;
use crate::process::{done, push, signal, wait};
use crate::suite::Suite;
use ports::ReservedPort;
use std::time::Duration;

const LIST: &str = "[[camera]]\nname = 'gate'\naddress = '${gate}'\nrate = 50\n
[[camera]]\nname = 'yard'\naddress = 'http://viewer:${yard-password}@127.0.0.1:9/x'\n";

/// Asks the admin port until the answer has these words.
fn until(url: &str, status: u16, words: &str) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent = ureq::Agent::new_with_config(config);
    loop {
        if let Ok(mut answer) = agent.get(url).call() {
            let text = answer.body_mut().read_to_string().unwrap();
            if answer.status().as_u16() == status && text.contains(words) {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_list_is_sent_with_secrets_from_files_and_readiness_tells_who_delivers() {
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    // the second camera waits until somebody has seen that it does not deliver
    let ffmpeg = FakeFfmpeg::that(
        "case \"$*\" in *yard-is-here*|*/x*) until [ -e \"$dir/go\" ]; do sleep 0.02; done;; esac
        while frame; do sleep 0.02; done",
    );
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("cameras.toml", LIST);
    write("gate", "rtsp://u:secret@127.0.0.1:9/1\n");
    write("yard-password", "se/cret");
    let port = ReservedPort::loopback().unwrap();
    let address = port.address();
    let child = push(&suite, &ffmpeg.path())
        .args(["--cameras", "cameras.toml", "--secrets", ".", "--admin", &address.to_string()])
        .current_dir(&dir)
        .spawn()
        .unwrap();
    let at = |path: &str| format!("http://{address}{path}");
    until(&at("/readyz"), 503, "1 of 2 deliver no frames: yard");
    until(&at("/metrics"), 200, "mlvi_camera_delivering 1");
    std::fs::write(ffmpeg.path().split(':').next().unwrap().to_owned() + "/go", "").unwrap();
    until(&at("/readyz"), 200, "");
    until(&at("/livez"), 200, "");
    until(&at("/metrics"), 200, "mlvi_camera_frames_total{outcome=\"answered\"}");
    signal(&child, "TERM");
    let done = wait(child);
    assert!(done.err.contains(" results, ") && !done.err.contains("cret"), "{done:?}");
    let arguments = ffmpeg.arguments();
    assert!(arguments.contains("rtsp://u:secret@127.0.0.1:9/1 -vf fps=50"), "{arguments}");
    assert!(arguments.contains("http://viewer:se%2Fcret@127.0.0.1:9/x"), "{arguments}");
    ffmpeg.has_ended();
}

#[test]
fn a_list_that_cannot_be_used_is_bad_usage() {
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    for text in ["", "[[camera]]\nname = 'gate'\naddress = 'rtsp://u:secret@a/1", "x = 1"] {
        std::fs::write(dir.path().join("cameras.toml"), text).unwrap();
        let done =
            done(push(&suite, "/usr/bin").args(["--cameras", "cameras.toml"]).current_dir(&dir));
        assert_eq!(done.code, Some(64), "{done:?}");
        assert!(done.err.contains("cameras.toml: ") && !done.err.contains("secret"), "{done:?}");
    }
}
