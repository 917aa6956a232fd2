//! More clients than the process may have files open.

use crate::client::get;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use unit::Listen;

/// A web-server as a process of its own, with limits of its own. There is no broker: nothing here
/// needs one.
struct Process {
    child: Child,
    http: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    async fn start(soft: u32, hard: u32) -> Self {
        // the clients are ours, and need descriptors, too
        unit::raise_descriptor_limit();
        // both ports are free again when the process binds them
        let (http, admin) = (Listen::loopback().unwrap().1, Listen::loopback().unwrap().1);
        let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\"");
        let mut child = Command::new("sh")
            .args(["-c", &limits, env!("CARGO_BIN_EXE_web-server")])
            .env("MLVI_BROKERS", "127.0.0.1:9")
            .env("MLVI_HTTP_LISTEN", http.to_string())
            .env("MLVI_ADMIN_LISTEN", admin.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (output, lines) = (child.stderr.take().unwrap(), log.clone());
        std::thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| lines.lock().unwrap().push(line))
        });
        let process = Self { child, http, log };
        let up = async {
            while TcpStream::connect(http).is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), up).await.expect("it does not come up");
        process
    }

    /// The lines with this part, once there is one: what the process writes is read a moment later.
    async fn logs(&self, part: &str) -> Vec<String> {
        let logged = async {
            while self.logged(part).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), logged).await.expect("it is not logged");
        self.logged(part)
    }

    fn logged(&self, part: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.contains(part)).cloned().collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_soft_limit_is_no_limit() {
    let process = Process::start(64, 2000).await;
    let _idle: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(process.http).unwrap()).collect();
    assert_eq!(get(process.http, "/").await.status, 200);
    assert_eq!(process.logged("cannot accept"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_capped_by_the_hard_limit() {
    let process = Process::start(64, 400).await;
    let said = process.logs("fewer connections than set").await;
    assert_eq!(said.len(), 1, "{said:?}");
    // how many are left depends on what the process has inherited of its parent, which runs other
    // tests besides
    for part in ["WARN", "MLVI_MAX_CONNECTIONS", "4096", "400"] {
        assert!(said[0].contains(part), "{part} is not in {said:?}");
    }
    let mut open = TcpStream::connect(process.http).unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    let _idle: Vec<TcpStream> =
        (0..350).map(|_| TcpStream::connect(process.http).unwrap()).collect();
    assert_eq!(get(process.http, "/").await.status, 200, "an idle one made room");
    let served = tokio::task::spawn_blocking(move || {
        open.write_all(b"connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        open.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(served.await.unwrap().starts_with("HTTP/1.1 200 "), "who is at work goes on");
    assert_eq!(process.logged("cannot accept"), Vec::<String>::new());
}
