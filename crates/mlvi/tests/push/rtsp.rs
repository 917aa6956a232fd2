//! An RTSP camera on loopback: it speaks RTSP itself (RFC 2326, interleaved over TCP), and ffmpeg
//! makes the packets that it sends.

use crate::process::{done, push};
use crate::suite::Suite;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// ffmpeg, which sends a test picture as RTP packets to a port; ends with this.
struct Source {
    ffmpeg: Child,
    packets: UdpSocket,
    description: String,
}

impl Source {
    fn start() -> Self {
        let packets = UdpSocket::bind("127.0.0.1:0").unwrap();
        packets.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let port = packets.local_addr().unwrap().port();
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=20"])
            // small packets, and often a frame that is decoded alone
            .args(["-c:v", "mpeg4", "-g", "5", "-f", "rtp"])
            .arg(format!("rtp://127.0.0.1:{port}?pkt_size=1200"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // it prints how the stream is described, as the answer to DESCRIBE
        let mut lines = BufReader::new(ffmpeg.stdout.take().unwrap()).lines();
        let mut description = String::new();
        while !description.contains("a=fmtp:") {
            let line = lines.next().unwrap().unwrap();
            if line.contains('=') {
                description += &format!("{}\r\n", line.trim());
            }
        }
        Self { ffmpeg, packets, description: description + "a=control:track\r\n" }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.ffmpeg.kill();
        let _ = self.ffmpeg.wait();
    }
}

/// Answers one client until it leaves.
fn serve(listener: &TcpListener, source: &Source) {
    let (stream, _) = listener.accept().unwrap();
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let number = head.iter().find(|line| line.starts_with("CSeq:")).unwrap();
        let (more, body) = match head[0].split(' ').next().unwrap() {
            "DESCRIBE" => ("Content-Type: application/sdp\r\n", source.description.as_str()),
            "SETUP" => ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
            _ => ("Session: 1\r\nPublic: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
        };
        let length = body.len();
        let answer =
            format!("RTSP/1.0 200 OK\r\n{number}\r\n{more}Content-Length: {length}\r\n\r\n");
        (&stream).write_all((answer + body).as_bytes()).unwrap();
        if head[0].starts_with("PLAY") {
            return play(&stream, source);
        }
    }
}

/// Passes packets on, each behind its channel and length.
fn play(mut stream: &TcpStream, source: &Source) {
    let mut packet = [0; 2048];
    loop {
        let length = source.packets.recv(&mut packet).unwrap();
        let head = [b"$\0", &u16::try_from(length).unwrap().to_be_bytes()[..]].concat();
        if stream.write_all(&[&head, &packet[..length]].concat()).is_err() {
            return;
        }
    }
}

#[test]
fn frames_of_an_rtsp_camera_are_sent() {
    if !requires::ffmpeg() {
        return;
    }
    let suite = Suite::start();
    let source = Source::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || serve(&listener, &source));
    let path = std::env::var("PATH").unwrap();
    let url = format!("rtsp://viewer:secret@{address}/1");
    let done = done(push(&suite, &path).args([&url, "--frames", "5", "--in-flight", "64"]));
    // of a live camera's frames, those go that come while a busy machine has yet to send the one before
    let count = done.err.split_once(" dropped").and_then(|(before, _)| before.rsplit(' ').next());
    let dropped = count.map_or(0, |count| count.parse::<usize>().unwrap());
    assert_eq!(suite.frames().len() + dropped, 5, "{done:?}");
    assert_eq!(done.code, Some(i32::from(dropped > 0)), "{done:?}");
    assert!(!done.err.contains("secret"), "{done:?}");
    // its client has left
    server.join().unwrap();
}
