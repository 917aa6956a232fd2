//! `mlvi check` as a command: what it prints, and its exit codes.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

fn mlvi(arguments: &[&str], input: &str, kubeconfig: &Path) -> anyhow::Result<Outcome> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlvi"));
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).env("KUBECONFIG", kubeconfig);
    command.env_remove("KUBERNETES_SERVICE_HOST").env_remove("MLVI_MODELS_DIR");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // a command that does not read its input may be gone already
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Outcome { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) })
}

fn offline(arguments: &[&str], input: &str) -> anyhow::Result<Outcome> {
    mlvi(arguments, input, Path::new("/nonexistent/kubeconfig"))
}

const CLEAN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {A: b}\n";

#[test]
fn findings_name_file_line_rule_and_field() -> anyhow::Result<()> {
    let clean = offline(&["check", "-"], CLEAN)?;
    assert_eq!((clean.code, clean.stdout.lines().count()), (0, 1), "{}{}", clean.stdout, clean.stderr);
    assert!(clean.stdout.starts_with("1 object, "), "{}", clean.stdout);

    let typo = offline(&["check", "-"], &CLEAN.replace("\ndata:", "\ndate:"))?;
    assert_eq!(typo.code, 1);
    assert!(typo.stdout.starts_with("standard input:4: error[unknown-field]: ConfigMap/a date: "), "{}", typo.stdout);

    let json = offline(&["check", "-", "--format", "json"], &CLEAN.replace("\ndata:", "\ndate:"))?;
    let report: Value = serde_json::from_str(&json.stdout)?;
    assert_eq!((json.code, &report["errors"], &report["findings"][0]["place"]["line"]), (1, &json!(1), &json!(4)));
    Ok(())
}

#[test]
fn warnings_count_only_when_they_are_denied() -> anyhow::Result<()> {
    let strange = CLEAN.replace("kind: ConfigMap", "kind: Thing");
    assert_eq!(offline(&["check", "-"], &strange)?.code, 0);
    assert_eq!(offline(&["check", "-", "--deny-warnings"], &strange)?.code, 1);
    Ok(())
}

#[test]
fn bad_usage_and_what_is_not_there_have_their_codes() -> anyhow::Result<()> {
    for arguments in
        [&["check", "--format", "xml"][..], &["check", "--namespace", "x"], &["check", "--live", "deploy"], &["check", "--no"]]
    {
        assert_eq!(offline(arguments, "")?.code, 64, "{arguments:?}");
    }
    let absent = offline(&["check", "/nonexistent/deploy"], "")?;
    assert!(absent.code == 69 && absent.stderr.contains("/nonexistent/deploy"), "{}", absent.stderr);
    let empty = offline(&["check", "-"], "# nothing\n")?;
    assert!(empty.code == 69 && empty.stderr.contains("no manifests"), "{}", empty.stderr);
    let no_cluster = offline(&["check", "--live"], "")?;
    assert!(no_cluster.code == 69 && no_cluster.stderr.contains("no cluster"), "{}", no_cluster.stderr);
    Ok(())
}

/// An API server that answers each path with a list, refuses autoscalers, and has nothing else.
fn serve(lists: BTreeMap<String, Value>) -> std::io::Result<std::net::SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split([' ', '?']).nth(1).unwrap_or_default();
            let status = |code: u16, message: &str| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message});
            let (code, body) = match lists.get(path) {
                Some(items) => {
                    (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
                }
                None if path.contains("autoscalers") => (403, status(403, "autoscalers are forbidden")),
                None => (404, status(404, "the server could not find the requested resource")),
            };
            let body = body.to_string();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {code} Played\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            // a client that goes away is no concern of the server
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    Ok(address)
}

#[test]
fn a_cluster_is_looked_at_as_far_as_it_allows() -> anyhow::Result<()> {
    let config = json!([{"metadata": {"name": "mlvi-bus", "namespace": "mlvi"}, "data": {"MLVI_PARTITIONS": "many"}}]);
    let container =
        json!({"name": "web-server", "image": "mlvi/web-server:0.1.0", "envFrom": [{"configMapRef": {"name": "mlvi-bus"}}]});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
    let deployment = json!([{"metadata": {"name": "web-server", "namespace": "mlvi"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}]);
    let lists = BTreeMap::from([
        ("/api/v1/namespaces/mlvi/configmaps".to_owned(), config),
        ("/apis/apps/v1/namespaces/mlvi/deployments".to_owned(), deployment),
    ]);
    let address = serve(lists)?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    let cluster = json!({"apiVersion": "v1", "kind": "Config", "current-context": "played",
        "clusters": [{"name": "played", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "tester", "user": {"token": "secret"}}],
        "contexts": [{"name": "played", "context": {"cluster": "played", "user": "tester"}}]});
    std::fs::write(&kubeconfig, cluster.to_string())?;

    let found = mlvi(&["check", "--live"], "", &kubeconfig)?;
    assert_eq!(found.code, 1, "{}{}", found.stdout, found.stderr);
    assert_eq!(found.stderr.matches("does not show horizontalpodautoscalers").count(), 1, "{}", found.stderr);
    assert!(found.stdout.contains("error[setting]: ConfigMap/mlvi-bus data.MLVI_PARTITIONS: "), "{}", found.stdout);

    let empty = mlvi(&["check", "--live", "--namespace", "other"], "", &kubeconfig)?;
    assert!(empty.code == 69 && empty.stderr.contains("'other'"), "{}", empty.stderr);
    let unknown = mlvi(&["check", "--live", "--context", "none"], "", &kubeconfig)?;
    assert!(unknown.code == 69 && unknown.stderr.contains("none"), "{}", unknown.stderr);
    Ok(())
}
