//! The binary, from a database and from a suite that is played, into both forms.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use frame::{
    BoundingBox, CameraId, Decision, Destination, Detection, FrameId, FrameResult, Status,
};
use mlvi_export::TableKind;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use results_db::{Access, Batch, Database, DatabaseUrl};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::JoinHandle;

/// 2026-01-31T22:00:00Z
const START_MS: u64 = 1_769_896_800_000;

fn id(number: u64) -> FrameId {
    let mut bytes = *FrameId::from_then_on(START_MS + number * 1_000).as_bytes();
    (bytes[6], bytes[8]) = (0x70, 0x80);
    FrameId::from_bytes(bytes)
}

fn detection(class: &str, confidence: f32) -> Detection {
    let bounding_box = BoundingBox { x: -1.5, y: 2.0, width: 30.0, height: 40.0 };
    Detection { class: class.into(), class_id: 3, confidence, bounding_box, zones: None }
}

fn result(number: u64, camera: &str, found: Vec<Detection>) -> FrameResult {
    FrameResult {
        detections: found,
        decision: Some(Decision::new(Destination::Edge, "in-time", "deadline")),
        ..FrameResult::new(id(number), camera.parse().unwrap(), number, Status::Done)
    }
}

/// Two frames with three detections.
fn two() -> [FrameResult; 2] {
    let zoned = Detection {
        zones: Some(vec!["door".into(), "path, north".into()]),
        ..detection("dog", 0.9)
    };
    [result(1, "gate", vec![zoned, detection("a \"cup\"", 0.25)]), {
        let unnamed = CameraId::unnamed().to_string();
        result(2, &unnamed, vec![detection("dog", 0.5)])
    }]
}

fn store(path: &Path, results: impl IntoIterator<Item = FrameResult>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let url = DatabaseUrl::Sqlite(path.to_owned());
        let database = Database::open(&url, Access::Write).await.unwrap();
        database.store(&Batch::of(results)).await.unwrap();
    });
}

fn export(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mlvi-export"))
        .current_dir(dir)
        .env_remove("MLVI_TOKEN")
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    told.into_owned()
}

#[track_caller]
fn fails(output: &Output, code: i32, words: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(words), "{told}");
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("results.sqlite"))
        .collect();
    names.sort_unstable();
    names
}

/// The rows of a Parquet file, each field by its column.
fn rows(path: &Path) -> Vec<Vec<(String, Field)>> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().into_columns()).collect()
}

fn field<'a>(row: &'a [(String, Field)], name: &str) -> &'a Field {
    &row.iter().find(|(column, _)| column == name).unwrap().1
}

#[test]
fn detections_of_a_database_are_rows_of_a_csv() {
    let dir = tempfile::tempdir().unwrap();
    store(&dir.path().join("results.sqlite"), two());
    let from = ["--database", "sqlite:results.sqlite"];
    let told = succeeds(&export(dir.path(), &[&from[..], &["--out", "all.csv"]].concat()));
    assert!(told.contains("3 rows of 2 frames"), "{told}");
    let text = std::fs::read_to_string(dir.path().join("all.csv")).unwrap();
    let (first, second) = (id(1), id(2));
    let wanted = format!(
        "frame_id,received_at,camera,sequence,status,destination,reason,policy,model,\
         end_to_end_ms,ordinal,class,class_id,confidence,x,y,width,height,zones\n\
         {second},2026-01-31T22:00:02.000000Z,unnamed,2,done,edge,in-time,deadline,,,\
         0,dog,3,0.5,-1.5,2,30,40,\n\
         {first},2026-01-31T22:00:01.000000Z,gate,1,done,edge,in-time,deadline,,,\
         0,dog,3,0.9,-1.5,2,30,40,\"door;path, north\"\n\
         {first},2026-01-31T22:00:01.000000Z,gate,1,done,edge,in-time,deadline,,,\
         1,\"a \"\"cup\"\"\",3,0.25,-1.5,2,30,40,\n"
    );
    assert_eq!(text, wanted);
    // the same on standard output, and narrowed
    let all = export(dir.path(), &[&from[..], &["--out", "-"]].concat());
    assert_eq!(String::from_utf8_lossy(&all.stdout), wanted);
    let narrowed = export(dir.path(), &[&from[..], &["--out", "-", "--camera", "gate"]].concat());
    assert_eq!(String::from_utf8_lossy(&narrowed.stdout).lines().count(), 3);
    let later = [&from[..], &["--out", "-", "--from", "2026-01-31T23:00:02+01:00"]].concat();
    assert_eq!(String::from_utf8_lossy(&export(dir.path(), &later).stdout).lines().count(), 2);
}

#[test]
fn both_tables_are_read_back_from_parquet_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    // more than a page and more than a row group
    let many = (3..9_003).map(|n| result(n, "yard", vec![detection("dog", 0.5); 2]));
    store(&dir.path().join("results.sqlite"), two().into_iter().chain(many));
    let from = ["--database", "sqlite:results.sqlite"];
    succeeds(&export(dir.path(), &[&from[..], &["--out", "d.parquet"]].concat()));
    let held = rows(&dir.path().join("d.parquet"));
    assert_eq!(held.len(), 18_003);
    let names: Vec<&str> = held[0].iter().map(|(name, _)| &**name).collect();
    let columns: Vec<&str> = TableKind::Detections.columns().map(|column| column.name).collect();
    assert_eq!(names, columns);
    let last = &held[18_002];
    assert_eq!(field(last, "frame_id"), &Field::Str(id(1).to_string()));
    let micros = i64::try_from((START_MS + 1_000) * 1_000).unwrap();
    assert_eq!(field(last, "received_at"), &Field::TimestampMicros(micros));
    assert_eq!(field(last, "class"), &Field::Str("a \"cup\"".into()));
    assert_eq!(field(last, "confidence"), &Field::Float(0.25));
    assert_eq!(field(last, "ordinal"), &Field::Long(1));
    assert_eq!(field(last, "zones"), &Field::Null);
    assert_eq!(field(&held[18_001], "zones"), &Field::Str("door;path, north".into()));

    succeeds(&export(dir.path(), &[&from[..], &["--rows", "frames", "-o", "f.parquet"]].concat()));
    let held = rows(&dir.path().join("f.parquet"));
    assert_eq!(held.len(), 9_002);
    assert_eq!(field(&held[9_001], "detections"), &Field::Long(2));
    assert_eq!(field(&held[9_001], "predicted_edge_ms"), &Field::Null);
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    store(&dir.path().join("results.sqlite"), two());
    let to = ["--database", "sqlite:results.sqlite", "--out", "a.parquet"];
    std::fs::write(dir.path().join("a.parquet"), "mine").unwrap();
    fails(&export(dir.path(), &to), 64, "--force replaces it");
    assert_eq!(std::fs::read(dir.path().join("a.parquet")).unwrap(), b"mine");
    succeeds(&export(dir.path(), &[&to[..], &["--force"]].concat()));
    assert_eq!(rows(&dir.path().join("a.parquet")).len(), 3);
    assert_eq!(files(dir.path()), ["a.parquet"]);
}

#[test]
fn what_cannot_be_meant_ends_with_64_and_what_is_not_there_with_1_and_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["--out", "a.xlsx"][..], ".parquet or .csv"),
        (&["--out", "a.csv", "--database", "mysql://root:hunter2@db/x"], "neither postgres"),
        (&["--out", "a.csv", "--from", "yesterday"], "RFC 3339"),
        (&["--out", "a.csv", "--min-confidence", "2"], "from 0 to 1"),
        (&["--out", "a.csv", "--destination", "moon"], "neither edge nor cloud"),
        (
            &["--out", "-", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"],
            "--to is before --from",
        ),
        (&[], "--out"),
    ] {
        let output = export(dir.path(), arguments);
        fails(&output, 64, words);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    }
    let missing = ["--out", "a.csv", "--database", "sqlite:results.sqlite"];
    fails(&export(dir.path(), &missing), 1, "holds no results yet");
    std::fs::write(dir.path().join("results.sqlite"), "no database".repeat(20)).unwrap();
    fails(&export(dir.path(), &missing), 1, "belongs to another program");
    let port = ports::ReservedPort::on(std::net::Ipv4Addr::LOCALHOST.into()).unwrap();
    let nobody = format!("http://{}", port.address());
    fails(&export(dir.path(), &["--out", "a.csv", "--server", &nobody]), 1, "does a suite run");
    assert_eq!(files(dir.path()), [""; 0]);
}

#[test]
fn no_results_are_a_table_without_rows() {
    let dir = tempfile::tempdir().unwrap();
    store(&dir.path().join("results.sqlite"), []);
    for out in ["a.csv", "a.parquet"] {
        let to = ["--database", "sqlite:results.sqlite", "--out", out];
        assert!(succeeds(&export(dir.path(), &to)).contains("0 rows of 0 frames"));
    }
    assert_eq!(rows(&dir.path().join("a.parquet")).len(), 0);
}

/// Answers these requests one after the other; gives what they were.
fn suite(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            requests.push(head.join("\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        }
        requests
    });
    (address, thread)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

#[test]
fn a_suites_pages_follow_each_other_and_a_busy_one_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let line = |result: &FrameResult| String::from_utf8(result.to_json()).unwrap() + "\n";
    let [first, second] = two();
    let (address, thread) = suite(vec![
        answer("503 Service Unavailable", "retry-after: 0\r\n", "{}"),
        answer("200 OK", "mlvi-next: abc.1\r\n", &line(&second)),
        answer("200 OK", "", &line(&first)),
    ]);
    let to = ["--server", &address, "--out", "a.csv", "--class", "dog", "--token", "secret"];
    let more = ["--from", "2026-01-31T22:00:00Z", "--min-confidence", "0.5"];
    let told = succeeds(&export(dir.path(), &[&to[..], &more].concat()));
    assert!(told.contains("3 rows of 2 frames"), "{told}");
    let requests = thread.join().unwrap();
    assert_eq!(requests[0], requests[1]);
    for (request, cursor) in requests.iter().zip([false, false, true]) {
        let request = request.to_ascii_lowercase();
        for part in [
            "get /history?class=dog&min_confidence=0.5&from=2026-01-31t22",
            "limit=1000",
            "authorization: bearer secret",
            "accept: application/x-ndjson",
        ] {
            assert!(request.contains(part), "{request}");
        }
        assert_eq!(request.contains("cursor=abc.1"), cursor, "{request}");
    }
}

#[test]
fn a_suite_that_takes_too_long_is_asked_for_fewer_frames() {
    let dir = tempfile::tempdir().unwrap();
    let line = String::from_utf8(two()[0].to_json()).unwrap() + "\n";
    let problem = r#"{"type":"/problems/history-slow","title":"Slow","status":503,"detail":"ask for a shorter time"}"#;
    let slow = || answer("503 Service Unavailable", "", problem);
    let (address, thread) = suite(vec![slow(), slow(), answer("200 OK", "", &line)]);
    let output = export(dir.path(), &["--server", &address, "--out", "a.csv"]);
    assert!(succeeds(&output).contains("2 rows of 1 frames"));
    let requests = thread.join().unwrap();
    for (request, limit) in requests.iter().zip(["limit=1000 ", "limit=100 ", "limit=10 "]) {
        assert!(request.contains(limit), "{request}");
    }
    let (address, thread) = suite((0..4).map(|_| slow()).collect());
    let output = export(dir.path(), &["--server", &address, "--out", "b.csv"]);
    fails(&output, 1, "503: ask for a shorter time");
    thread.join().unwrap();
}

#[test]
fn who_has_read_enough_of_a_small_table_sees_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    store(&dir.path().join("results.sqlite"), two());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_mlvi-export"))
        .current_dir(dir.path())
        .args(["--database", "sqlite:results.sqlite", "--out", "-"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(succeeds(&output), "");
}

#[test]
fn what_a_suite_refuses_is_told_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let problem = r#"{"type":"/problems/no-history","title":"None","status":404,"detail":"MLVI_DATABASE_URL is not set"}"#;
    let (address, thread) = suite(vec![answer("404 Not Found", "", problem)]);
    let output = export(dir.path(), &["--server", &address, "--out", "a.parquet"]);
    fails(&output, 1, "404: MLVI_DATABASE_URL is not set");
    thread.join().unwrap();
    assert_eq!(files(dir.path()), [""; 0]);
}

#[test]
fn who_interrupts_it_finds_no_part_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut export = Command::new(env!("CARGO_BIN_EXE_mlvi-export"))
        .current_dir(dir.path())
        .args(["--out", "a.csv", "--server"])
        .arg(format!("http://{}", listener.local_addr().unwrap()))
        .spawn()
        .unwrap();
    // it asks, and gets no answer
    let asking = listener.accept().unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    let told = Command::new("kill").arg(export.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(export.wait().unwrap().code(), Some(1));
    assert_eq!(files(dir.path()), [""; 0]);
    drop(asking);
}

#[test]
fn the_page_names_every_column() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/export.md");
    let page = std::fs::read_to_string(PAGE).unwrap();
    for column in TableKind::ALL.into_iter().flat_map(TableKind::columns) {
        let row = format!("| `{}` | {} |", column.name, column.kind.as_str());
        assert!(page.contains(&row), "docs/src/export.md lacks {row}");
    }
}
