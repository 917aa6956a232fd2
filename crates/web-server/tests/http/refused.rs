//! A configuration that is not valid, as whoever reads the log is told.

use std::process::{Command, Output};

fn refused(format: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_web-server"));
    command.env("MLVI_HTTP_LISTEN", "nowhere").env("POD_NAME", "web-server-0");
    if let Some(format) = format {
        command.env("MLVI_LOG_FORMAT", format);
    }
    command.output().unwrap()
}

#[test]
fn a_refused_configuration_is_a_line_of_json_where_logs_are() {
    let output = refused(None);
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    let line: serde_json::Value = serde_json::from_str(&text).expect(&text);
    let field = |name: &str| line[name].as_str().unwrap();
    assert_eq!(
        (field("level"), field("unit"), field("pod")),
        ("ERROR", "web-server", "web-server-0")
    );
    assert_eq!(field("message"), "the configuration is not valid");
    assert!(field("error").contains("MLVI_HTTP_LISTEN"), "{line}");
}

#[test]
fn for_people_it_is_text() {
    let output = refused(Some("text"));
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("web-server: the configuration is not valid\n"), "{text}");
    assert!(text.contains("MLVI_HTTP_LISTEN"), "{text}");
}
