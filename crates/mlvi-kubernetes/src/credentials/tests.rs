//! What is made, and what is refused. That a broker and its clients take it is tested in
//! `tests/secure_broker.rs`.

use super::*;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

fn args(hosts: &[&str]) -> CredentialsArgs {
    let host = hosts.iter().map(|host| (*host).to_owned()).collect();
    CredentialsArgs {
        namespace: "mlvi".into(),
        host,
        brokers: 3,
        valid_days: 30,
        out: None,
        force: false,
    }
}

#[test]
fn the_list_is_yaml_with_four_secrets() {
    let list: Value = serde_saphyr::from_str(&args(&[]).make().unwrap().list()).unwrap();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&"List".into(), &"v1".into()));
    let items = list["items"].as_array().unwrap();
    let keys = |item: &Value| {
        item["stringData"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let found: Vec<(&str, &str, String)> = items
        .iter()
        .map(|item| {
            (item["metadata"]["name"].as_str().unwrap(), item["type"].as_str().unwrap(), keys(item))
        })
        .collect();
    let expected = [
        ("edge-broker-users", "Opaque", "admin-password cloud-password site-password"),
        ("edge-broker-tls", "kubernetes.io/tls", "ca.crt tls.crt tls.key"),
        ("broker-login-site", "Opaque", "password username"),
        ("broker-login-cloud", "Opaque", "ca.crt password username"),
    ];
    assert_eq!(found, expected.map(|(name, kind, keys)| (name, kind, keys.to_owned())));
    let data = |index: usize, key: &str| items[index]["stringData"][key].as_str().unwrap();
    assert!(
        items
            .iter()
            .all(|item| item["metadata"]["namespace"] == "mlvi" && item["kind"] == "Secret")
    );
    // both sides have the same
    assert_eq!(
        (data(0, "site-password"), data(0, "cloud-password")),
        (data(2, "password"), data(3, "password"))
    );
    assert_eq!(data(1, "ca.crt"), data(3, "ca.crt"));
    assert!(
        data(1, "tls.key").starts_with("-----BEGIN PRIVATE KEY-----\n")
            && data(1, "tls.key").ends_with("-----\n")
    );
    assert_ne!(data(1, "tls.crt"), data(1, "ca.crt"));
}

#[test]
fn passwords_are_long_and_each_is_another() {
    let passwords: std::collections::BTreeSet<String> =
        (0..50).map(|_| password::random().unwrap()).collect();
    assert_eq!(passwords.len(), 50);
    assert!(
        passwords
            .iter()
            .all(|text| text.len() == 40 && text.bytes().all(|c| c.is_ascii_alphanumeric())),
        "{passwords:?}"
    );
}

#[test]
fn files_are_for_their_owner_and_stay_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("secrets");
    let make = || args(&[]).make().unwrap();
    let written = write::files(&out, &make(), false).unwrap();
    let names: Vec<&str> =
        written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["edge-broker.yml", "site.yml", "cloud.yml"]);
    for path in &written {
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            path.display()
        );
    }
    // the authority's key is nowhere, the broker's only with the broker
    let text = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(text("edge-broker.yml").matches("PRIVATE KEY-----").count(), 2);
    assert!(!text("site.yml").contains("KEY") && !text("cloud.yml").contains("KEY"));
    assert!(!text("cloud.yml").contains("site") && !text("site.yml").contains("cloud"));

    std::fs::remove_file(&written[0]).unwrap();
    let before = text("site.yml");
    let error = write::files(&out, &make(), false).unwrap_err().to_string();
    assert!(
        error.contains("site.yml")
            && error.contains("cloud.yml")
            && !error.contains("edge-broker.yml"),
        "{error}"
    );
    assert!(text("site.yml") == before && !written[0].exists(), "all or none");
    std::fs::set_permissions(&written[1], std::fs::Permissions::from_mode(0o644)).unwrap();
    write::files(&out, &make(), true).unwrap();
    assert_ne!(text("site.yml"), before);
    assert_eq!(std::fs::metadata(&written[1]).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn names_of_the_broker_are_those_of_its_services_and_ours() {
    let hosts = ["broker.example.org".into(), "10.0.0.7".into(), "localhost".into()];
    let names = certificates::names("site-7", 2, &hosts);
    for name in [
        "edge-broker",
        "edge-broker.site-7.svc",
        "*.edge-broker-nodes.site-7.svc",
        "edge-broker-0.site-7.svc",
        "edge-broker-1.site-7.svc",
        "edge-broker-1",
        "127.0.0.1",
        "broker.example.org",
        "10.0.0.7",
    ] {
        assert_eq!(names.iter().filter(|known| *known == name).count(), 1, "{name}: {names:?}");
    }
    assert_eq!(names.len(), 4 * 4 + 2 + 2, "{names:?}");
}

#[test]
fn what_is_not_allowed_is_named() {
    args(&["broker.example.org", "10.0.0.7", "fd00::7", "*.example.org"]).check().unwrap();
    let bad = [
        (args(&["broker:9094"]), "--host='broker:9094'"),
        (args(&["a b"]), "--host='a b'"),
        (args(&[""]), "--host=''"),
        (CredentialsArgs { namespace: "Site_7".into(), ..args(&[]) }, "--namespace='Site_7'"),
        (CredentialsArgs { brokers: 0, ..args(&[]) }, "--brokers='0'"),
        (CredentialsArgs { valid_days: 0, ..args(&[]) }, "--valid-days='0'"),
    ];
    for (args, expected) in bad {
        let text = args.check().unwrap_err().to_string();
        assert!(text.starts_with(expected) && text.contains("it must be"), "{text}");
    }
}
