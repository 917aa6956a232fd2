use super::*;
use crate::{Knowledge, check};

/// Writes files below a folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn titles(set: &Set) -> Vec<String> {
    set.objects.iter().map(Object::title).collect()
}

fn read(dir: &tempfile::TempDir, tools: &Tools) -> Result<Set, ReadError> {
    Set::read(&[dir.path().to_owned()], tools)
}

const A: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  X: one\n";
const B: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n# \
    nothing\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  \
    metadata: {name: c}\n";

#[test]
fn a_plain_folder_is_read_file_by_file() {
    let dir = folder(&[
        ("a.yml", A),
        ("sub/b.yaml", B),
        ("notes.txt", "kind: no\n"),
        ("board.json", "{\"panels\": []}"),
        (".hidden/x.yml", "no"),
    ]);
    let set = read(&dir, &Tools::none()).unwrap();
    assert_eq!(titles(&set), ["ConfigMap/a", "ConfigMap/b", "Secret/c"]);
    assert!(set.findings.is_empty(), "{:?}", set.findings);
}

#[test]
fn a_kustomization_of_resources_needs_no_program() {
    let dir = folder(&[
        ("Kustomization", "namespace: video\nresources: [unit, b.yml]\n"),
        ("unit/Kustomization", "resources: [a.yml]\n"),
        ("unit/a.yml", A),
        ("unit/beside.yml", "no: object\n"),
        ("b.yml", B),
    ]);
    let set = read(&dir, &Tools::none()).unwrap();
    assert_eq!(titles(&set), ["ConfigMap/a", "ConfigMap/b", "Secret/c"]);
    assert!(set.objects.iter().all(|object| object.namespace == "video"));
}

#[test]
fn a_kustomization_that_leads_back_to_itself_is_a_finding() {
    for files in [
        vec![("Kustomization", "resources: [., a.yml]\n"), ("a.yml", A)],
        vec![
            ("Kustomization", "resources: [a.yml, other]\n"),
            ("a.yml", A),
            ("other/kustomization.yaml", "resources: [..]\n"),
        ],
    ] {
        let set = read(&folder(&files), &Tools::none()).unwrap();
        let found: Vec<String> = set.findings.iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains("lead back to itself"), "{found:?}");
        assert!(titles(&set).contains(&"ConfigMap/a".to_owned()));
    }
}

#[test]
fn a_base_of_two_is_no_circle() {
    let dir = folder(&[
        ("Kustomization", "resources: [one, two]\n"),
        ("one/Kustomization", "namespace: one\nresources: [../base]\n"),
        ("two/Kustomization", "namespace: two\nresources: [../base]\n"),
        ("base/Kustomization", "resources: [a.yml]\n"),
        ("base/a.yml", A),
    ]);
    let set = read(&dir, &Tools::none()).unwrap();
    assert_eq!(set.findings, []);
    let namespaces: Vec<&str> =
        set.objects.iter().map(|object| object.namespace.as_str()).collect();
    assert_eq!(namespaces, ["one", "two"]);
}

#[test]
fn a_kustomization_with_patches_needs_one_and_says_which() {
    let dir = folder(&[
        ("kustomization.yaml", "resources: [a.yml]\npatches: [{path: p.yml}]\n"),
        ("a.yml", A),
        ("p.yml", A),
    ]);
    let error = read(&dir, &Tools::none()).unwrap_err();
    assert!(matches!(error, ReadError::NoTool { .. }));
    let text = error.to_string();
    assert!(
        text.contains("kubectl") && text.contains("kustomize") && text.contains("patches"),
        "{text}"
    );
}

#[test]
fn what_is_not_there_or_empty_is_an_error() {
    let error = Set::read(&["/nonexistent/deploy".into()], &Tools::none()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/deploy"), "{error}");
    assert!(matches!(read(&folder(&[("x.txt", "")]), &Tools::none()), Err(ReadError::Empty(_))));
}

#[test]
fn faults_of_the_text_are_findings_with_their_lines() {
    let dir = folder(&[
        ("a.yml", "apiVersion: v1\nkind: ConfigMap\nkind: Secret\n"),
        ("b.yml", "a: [\n"),
        ("c.yml", "image: x\n"),
    ]);
    let set = read(&dir, &Tools::none()).unwrap();
    let found: Vec<(&str, usize)> = set
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.place.as_ref().unwrap().line))
        .collect();
    assert_eq!(
        (found[0], found[1].0, found[2]),
        (("duplicate-key", 3), "yaml", ("not-an-object", 1))
    );
}

/// Builds with the kustomize at hand. It comes with kubectl, which not every machine has.
fn built(files: &[(&str, &str)], path: &str) -> Option<(tempfile::TempDir, Set)> {
    let dir = folder(files);
    match Set::read(&[dir.path().join(path)], &Tools::default()) {
        Ok(set) => Some((dir, set)),
        Err(ReadError::NoTool { .. }) => {
            let why = "neither kubectl nor kustomize is in PATH";
            requires::skip(requires::Requirement::Kustomize, why);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\nspec:\n  \
    selector: {matchLabels: {a: b}}\n  \
    template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n        - name: \
    x\n          image: x:latest\n        - name: z\n          image: z:1\n";

#[test]
fn a_finding_in_a_build_names_the_file_that_sets_the_field() {
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\nspec:\n  \
        template:\n    spec:\n      containers:\n        \
                 - name: z\n          image: z:latest\n";
    let overlay = "resources: [../base]\npatches:\n  - path: patch.yml\n  - target: {kind: \
        Deployment, name: d}\n    patch: |-\n      \
                   - op: add\n        path: /spec/template/spec/restartPolicy\n        value: \
                   Never\n";
    let files = [
        ("base/Kustomization", "resources: [d.yml]\n"),
        ("base/d.yml", DEPLOYMENT),
        ("overlay/kustomization.yml", overlay),
        ("overlay/patch.yml", patch),
    ];
    let Some((dir, set)) = built(&files, "overlay") else { return };
    let report = check(&set, &Knowledge::default(), None);
    let place = |rule: &str, part: &str| {
        let found = report
            .findings
            .iter()
            .find(|finding| finding.rule == rule && finding.to_string().contains(part));
        let place =
            found.unwrap_or_else(|| panic!("{rule} {part}: {report:?}")).place.clone().unwrap();
        (place.file.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned(), place.line)
    };
    assert_eq!(place("image", "x:latest"), ("base/d.yml".into(), 12));
    assert_eq!(place("image", "z:latest"), ("overlay/patch.yml".into(), 10));
    assert_eq!(place("enum", "restartPolicy"), ("overlay/kustomization.yml".into(), 6));
}

#[test]
fn a_build_that_fails_is_a_finding() {
    let Some((_dir, set)) = built(&[("kustomization.yaml", "resources: [absent.yml]\n")], "")
    else {
        return;
    };
    assert_eq!(set.findings.len(), 1);
    assert!(
        set.findings[0].rule == "kustomize" && set.findings[0].message.contains("absent.yml"),
        "{:?}",
        set.findings
    );
}
