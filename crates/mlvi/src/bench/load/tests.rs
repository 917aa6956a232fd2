use super::*;
use clap::Parser;
use std::io::{Read, Write};
use std::net::TcpListener;

#[derive(Parser)]
struct Load {
    #[command(flatten)]
    args: LoadArgs,
}

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../images/coffee.jpg");

fn args(more: &[&str]) -> LoadArgs {
    Load::parse_from([&["load", "--image", PHOTO], more].concat()).args
}

/// One second of 40 frames at equal distances.
fn second_of_forty(server: &str, more: &[&str]) -> Section {
    let usual = ["--server", server, "--rate", "40", "--seconds", "1"];
    let even = ["--warm-up", "0", "--spread", "even"];
    section(&args(&[&usual[..], &even, more].concat()), &Progress::hidden()).unwrap()
}

/// A server that stands still for a while after the first requests, and answers all then. Ends
/// with its test.
fn stalling_server(stall: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let until = std::time::Instant::now() + stall;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut read = Vec::new();
                let mut piece = [0; 16384];
                loop {
                    let Ok(count @ 1..) = stream.read(&mut piece) else { return };
                    read.extend_from_slice(&piece[..count]);
                    let text = String::from_utf8_lossy(&read);
                    let Some(head) = text.find("\r\n\r\n") else { continue };
                    let length = text[..head].to_lowercase();
                    let length = length.split("content-length: ").nth(1).unwrap();
                    let length: usize = length.lines().next().unwrap().parse().unwrap();
                    // what is no UTF-8 was replaced: the head's own bytes count
                    if read.len() < head + 4 + length {
                        continue;
                    }
                    read.clear();
                    let now = std::time::Instant::now();
                    std::thread::sleep(until.saturating_duration_since(now));
                    let body = r#"{"status":"done","decision":{"destination":"edge"}}"#;
                    let answer =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn a_server_that_stalls_is_asked_no_less() {
    let server = stalling_server(Duration::from_millis(700));
    let section = second_of_forty(&server, &["--cameras", "2"]);
    let measured = &section.data[0];
    assert_eq!(measured["sent"], 40, "{measured}");
    assert_eq!(measured["results"]["edge"], 40);
    // a closed loop would have seen one slow frame for each connection
    let p50 = measured["latency_ms"]["0.5"].as_f64().unwrap();
    assert!(p50 > 100.0, "half of the frames met the stall: {p50} ms");
    let text = section.text();
    assert!(text.contains("results/s") && !text.contains("missed:"), "{text}");
}

#[test]
fn what_cannot_be_sent_is_counted() {
    let server = stalling_server(Duration::from_millis(600));
    let section = second_of_forty(&server, &["--most-open", "5"]);
    let misses = &section.data[0]["misses"];
    assert!(misses["not sent: 5 were under way"].as_u64().unwrap() >= 5, "{misses}");
    assert_eq!(section.data[0]["sent"], 40);
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let failed = |more: &[&str]| {
        let usual = ["--seconds", "1", "--warm-up", "0", "--rate", "5"];
        let outcome = section(&args(&[&usual[..], more].concat()), &Progress::hidden());
        format!("{:#}", outcome.err().unwrap())
    };
    let error = failed(&["--server", "http://127.0.0.1:1"]);
    assert!(error.contains("no frame got a result") && error.contains("connect"), "{error}");
    assert!(failed(&["--server", "ftp://localhost"]).contains("http[s]://HOST:PORT"));
    assert!(failed(&["--rate", "0"]).contains("--rate must be above 0"));
}
