//! An ESP32-CAM on loopback, which answers as the example CameraWebServer of Arduino's core for the
//! ESP32 does (`app_httpd.cpp` of espressif/arduino-esp32): each boundary, head and JPEG is a chunk
//! of its own, and a head has a time stamp.

use crate::ffmpeg::jpeg;
use crate::process::{done, push};
use crate::suite::Suite;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const BOUNDARY: &str = "123456789000000000000987654321";

/// Answers one client until it leaves.
fn serve(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let request = BufReader::new(stream.try_clone().unwrap()).lines().next().unwrap().unwrap();
    assert!(request.starts_with("GET /stream "), "{request}");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={BOUNDARY}\r\n\
         Transfer-Encoding: chunked\r\nAccess-Control-Allow-Origin: *\r\nX-Framerate: 60\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let jpeg = jpeg();
    for number in 0.. {
        let boundary = format!("\r\n--{BOUNDARY}\r\n");
        let head = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}.{:06}\r\n\r\n",
            jpeg.len(),
            number / 25,
            number % 25 * 40_000
        );
        for piece in [boundary.as_bytes(), head.as_bytes(), &jpeg] {
            if chunk(&mut stream, piece).is_err() {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(40));
    }
}

fn chunk(stream: &mut TcpStream, piece: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", piece.len())?;
    stream.write_all(piece)?;
    stream.write_all(b"\r\n")
}

#[test]
fn frames_of_an_esp32_cam_are_sent() {
    if !requires::ffmpeg() {
        return;
    }
    let suite = Suite::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stream", listener.local_addr().unwrap());
    let camera = std::thread::spawn(move || serve(&listener));
    let path = std::env::var("PATH").unwrap();
    let arguments = ["--camera", "door", "--frames", "5", "--in-flight", "64"];
    let done = done(push(&suite, &path).arg(&url).args(arguments));
    // of a live camera's frames, those go that come while a busy machine has yet to send one
    let count = done.err.split_once(" dropped").and_then(|(before, _)| before.rsplit(' ').next());
    let dropped = count.map_or(0, |count| count.parse::<usize>().unwrap());
    let frames = suite.frames();
    assert_eq!(frames.len() + dropped, 5, "{done:?}");
    assert!(!frames.is_empty() && frames.iter().all(|(camera, _)| camera == "door"), "{done:?}");
    assert_eq!(done.code, Some(i32::from(dropped > 0)), "{done:?}");
    // its client has left
    camera.join().unwrap();
}
