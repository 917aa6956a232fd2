//! Pictures with what was found on them, fetched from a suite and kept as files.

use anyhow::Context;
use frame::FrameId;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use ureq::RequestBuilder;
use ureq::typestate::WithoutBody;

/// A server that has too many pictures to make is asked again, for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often.
const AGAIN: Duration = Duration::from_millis(200);

/// Fetches the annotated JPEG of a job that has a result, and writes it as `NAME.jpg` into `dir`,
/// which is made if need be. `name` is a file's or camera's name: path separators in it become
/// `-`, so that nothing is written elsewhere. Gives the file's path. `request` makes the
/// request for an address, and must not make an error of a status.
///
/// # Errors
/// When the server cannot be reached, gives no picture, or the file cannot be written.
pub fn save(
    request: impl Fn(&str) -> RequestBuilder<WithoutBody>,
    server: &str,
    id: FrameId,
    dir: &Path,
    name: &str,
) -> anyhow::Result<PathBuf> {
    let url = format!("{}/jobs/{id}/annotated", server.trim_end_matches('/'));
    let jpeg = fetch(&request, &url).with_context(|| url.clone())?;
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let path = dir.join(file_name(name));
    std::fs::write(&path, jpeg).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn fetch(
    request: &impl Fn(&str) -> RequestBuilder<WithoutBody>,
    url: &str,
) -> anyhow::Result<Vec<u8>> {
    // a picture of the largest upload that there may be
    const MOST_BYTES: u64 = 64 * 1024 * 1024;
    let started = Instant::now();
    loop {
        let mut response = request(url).call()?;
        let status = response.status().as_u16();
        match status {
            200 => return Ok(response.body_mut().with_config().limit(MOST_BYTES).read_to_vec()?),
            429 | 503 if started.elapsed() < PATIENCE => sleep(AGAIN),
            _ => {
                let text = response.body_mut().read_to_string()?;
                anyhow::bail!("the server gave no picture but {status}: {text}");
            }
        }
    }
}

/// A name that is a file in its folder, whatever is in it.
fn file_name(name: &str) -> String {
    let safe = name.replace(['/', '\\', '\0'], "-");
    // never a hidden file, nor the folder itself or the one around it
    format!("{}.jpg", safe.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Answers one connection after the other, and gives the paths that were asked for.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let asked = lines.next().unwrap().unwrap();
                while !lines.next().unwrap().unwrap().is_empty() {}
                stream.write_all(answer.as_bytes()).unwrap();
                asked.split(' ').nth(1).unwrap().to_owned()
            };
            answers.into_iter().map(answer).collect()
        });
        (server, thread)
    }

    fn agent() -> ureq::Agent {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        ureq::Agent::new_with_config(config.build())
    }

    fn answer(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    #[test]
    fn a_picture_is_kept_under_its_name_once_the_server_has_made_it() {
        let (server, thread) =
            serve(vec![answer("503 Service Unavailable", "{}"), answer("200 OK", "a picture")]);
        let (dir, id) = (tempfile::tempdir().unwrap(), FrameId::fresh());
        let into = dir.path().join("new");
        let path = save(|url| agent().get(url), &server, id, &into, "../gate/7").unwrap();
        assert_eq!(path, into.join("-gate-7.jpg"));
        assert_eq!(std::fs::read(path).unwrap(), b"a picture");
        assert_eq!(thread.join().unwrap(), vec![format!("/jobs/{id}/annotated"); 2]);
    }

    #[test]
    fn what_is_no_picture_is_an_error_and_no_file() {
        let (server, thread) = serve(vec![answer("410 Gone", "the frame is no longer kept")]);
        let dir = tempfile::tempdir().unwrap();
        let error =
            save(|url| agent().get(url), &server, FrameId::fresh(), dir.path(), "x").unwrap_err();
        assert!(format!("{error:#}").contains("no longer kept"), "{error:#}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        thread.join().unwrap();
    }
}
