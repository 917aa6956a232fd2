//! `mlvi check` as a command: what it prints, and its exit codes.

use crate::played::Played;
use crate::{mlvi, offline};
use serde_json::{Value, json};

const CLEAN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {A: b}\n";

#[test]
fn findings_name_file_line_rule_and_field() -> anyhow::Result<()> {
    let clean = offline(&["check", "-"], CLEAN)?;
    assert_eq!(
        (clean.code, clean.stdout.lines().count()),
        (0, 1),
        "{}{}",
        clean.stdout,
        clean.stderr
    );
    assert!(clean.stdout.starts_with("1 object, "), "{}", clean.stdout);

    let typo = offline(&["check", "-"], &CLEAN.replace("\ndata:", "\ndate:"))?;
    assert_eq!(typo.code, 1);
    assert!(
        typo.stdout.starts_with("standard input:4: error[unknown-field]: ConfigMap/a date: "),
        "{}",
        typo.stdout
    );

    let json = offline(&["check", "-", "--format", "json"], &CLEAN.replace("\ndata:", "\ndate:"))?;
    let report: Value = serde_json::from_str(&json.stdout)?;
    assert_eq!(
        (json.code, &report["errors"], &report["findings"][0]["place"]["line"]),
        (1, &json!(1), &json!(4))
    );
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
    for arguments in [
        &["check", "--format", "xml"][..],
        &["check", "--namespace", "x"],
        &["check", "--live", "deploy"],
        &["check", "--no"],
    ] {
        assert_eq!(offline(arguments, "")?.code, 64, "{arguments:?}");
    }
    let absent = offline(&["check", "/nonexistent/deploy"], "")?;
    assert!(
        absent.code == 69 && absent.stderr.contains("/nonexistent/deploy"),
        "{}",
        absent.stderr
    );
    let empty = offline(&["check", "-"], "# nothing\n")?;
    assert!(empty.code == 69 && empty.stderr.contains("no manifests"), "{}", empty.stderr);
    let no_cluster = offline(&["check", "--live"], "")?;
    assert!(
        no_cluster.code == 69 && no_cluster.stderr.contains("no cluster"),
        "{}",
        no_cluster.stderr
    );
    Ok(())
}

fn suite() -> Played {
    let config = json!([{"metadata": {"name": "mlvi-bus", "namespace": "mlvi"}, "data": {"MLVI_PARTITIONS": "many"}}]);
    let container = json!({"name": "web-server", "image": "mlvi/web-server:0.1.0", "envFrom": [{"configMapRef": {"name": "mlvi-bus"}}]});
    let template =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
    let deployment = json!([{"metadata": {"name": "web-server", "namespace": "mlvi"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}]);
    Played::default()
        .list("/api/v1/namespaces/mlvi/configmaps", config)
        .list("/apis/apps/v1/namespaces/mlvi/deployments", deployment)
        .refuse("horizontalpodautoscalers")
}

#[test]
fn a_cluster_is_inspected_as_far_as_it_allows() -> anyhow::Result<()> {
    let (_folder, kubeconfig) = suite().serve()?;
    let found = mlvi(&["check", "--live"], "", &kubeconfig)?;
    assert_eq!(found.code, 1, "{}{}", found.stdout, found.stderr);
    assert_eq!(
        found.stderr.matches("does not show horizontalpodautoscalers").count(),
        1,
        "{}",
        found.stderr
    );
    assert!(
        found.stdout.contains("error[setting]: ConfigMap/mlvi-bus data.MLVI_PARTITIONS: "),
        "{}",
        found.stdout
    );

    let empty = mlvi(&["check", "--live", "--namespace", "other"], "", &kubeconfig)?;
    assert!(empty.code == 69 && empty.stderr.contains("'other'"), "{}", empty.stderr);
    let unknown = mlvi(&["check", "--live", "--context", "none"], "", &kubeconfig)?;
    assert!(unknown.code == 69 && unknown.stderr.contains("none"), "{}", unknown.stderr);
    Ok(())
}

#[test]
fn nothing_is_said_of_settings_that_may_not_be_seen() -> anyhow::Result<()> {
    for kinds in ["configmaps", "deployments"] {
        let (_folder, kubeconfig) = suite().refuse(kinds).serve()?;
        let found = mlvi(&["check", "--live"], "", &kubeconfig)?;
        let reason = format!("without the right to list {kinds}");
        assert!(
            found.code == 69 && found.stderr.contains(&reason),
            "{}{}",
            found.stdout,
            found.stderr
        );
        assert!(!found.stdout.contains("error["), "{}", found.stdout);
    }
    Ok(())
}
