//! The page's files, which are in the binary compressed.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

/// Where the files' version stands in `index.html`.
const VERSION: &str = "{version}";

/// A file as the build script has compressed it.
macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")).as_slice())),*]
    };
}

/// What `index.html` and its modules ask for.
static ASSETS: [(&str, &[u8]); 31] = embedded![
    "app.js",
    "camera.js",
    "chart.js",
    "charts.js",
    "dom.js",
    "editor.js",
    "event.js",
    "feed.js",
    "format.js",
    "history.js",
    "icon.svg",
    "job.js",
    "lane.js",
    "life.js",
    "login.js",
    "overlay.js",
    "picture.js",
    "pictures.js",
    "policy.js",
    "polygons.js",
    "problem.js",
    "regions.js",
    "result.js",
    "sample.jpg",
    "send.js",
    "session.js",
    "span.js",
    "style.css",
    "theme.js",
    "wall.js",
    "webcam.js",
];

/// What `docs.html` asks for besides.
static DOCS_ASSETS: [(&str, &[u8]); 5] =
    embedded!["docs.css", "docs.js", "operation.js", "schema.js", "tryout.js"];

/// Those that name the others.
static DOCUMENTS: [(&str, &[u8]); 2] = embedded!["index.html", "docs.html"];

/// One file of the page.
#[derive(Debug)]
pub struct File {
    /// Its name, without a folder.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub plain: Bytes,
    /// The same as gzip; absent where that is not smaller.
    pub gzip: Option<Bytes>,
    /// A quoted, strong entity tag of the plain bytes.
    pub etag: String,
    /// That of the gzip.
    pub gzip_etag: String,
}

impl File {
    fn new(name: &'static str, plain: Bytes, gzip: Bytes) -> Self {
        let digest = hex(&plain);
        let gzip = Some(gzip).filter(|gzip| gzip.len() < plain.len());
        Self {
            name,
            content_type: content_type(name),
            plain,
            gzip,
            etag: format!("\"{digest}\""),
            gzip_etag: format!("\"{digest}-gzip\""),
        }
    }
}

/// All files, and the version that their addresses carry.
#[derive(Debug)]
pub struct Page {
    /// The dashboard's document.
    pub index: File,
    /// That of the interface's description.
    pub docs: File,
    /// 12 hexadecimal digits that change whenever any file does.
    pub version: String,
    assets: Vec<File>,
}

impl Page {
    /// An asset by its name.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&File> {
        self.assets.iter().find(|file| file.name == name)
    }

    fn new() -> Self {
        let mut all = Sha256::new();
        let documents = DOCUMENTS.map(|(name, gzip)| (name, plain(gzip)));
        for (_, document) in &documents {
            all.update(document);
        }
        let assets: Vec<_> =
            assets().map(|(name, gzip)| (*name, plain(gzip), Bytes::from_static(gzip))).collect();
        for (name, plain, _) in &assets {
            all.update(name);
            all.update(plain);
        }
        let version = digits(&all.finalize());
        let [index, docs] = documents.map(|(name, document)| {
            let text = String::from_utf8_lossy(&document).replace(VERSION, &version);
            let gzip = compressed(text.as_bytes());
            File::new(name, text.into(), gzip)
        });
        let assets =
            assets.into_iter().map(|(name, plain, gzip)| File::new(name, plain.into(), gzip));
        Self { index, docs, assets: assets.collect(), version }
    }
}

fn assets() -> impl Iterator<Item = &'static (&'static str, &'static [u8])> {
    ASSETS.iter().chain(&DOCS_ASSETS)
}

/// The page. The first call unpacks it, which takes some milliseconds: not a call for an async
/// thread.
pub fn page() -> &'static Page {
    static PAGE: LazyLock<Page> = LazyLock::new(Page::new);
    &PAGE
}

fn plain(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut plain).expect("the build script has written it");
    plain
}

fn compressed(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes what is written");
    encoder.finish().expect("memory takes what is written").into()
}

fn hex(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes))
}

fn digits(digest: &[u8]) -> String {
    digest.iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("jpg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let there: BTreeSet<String> = ["page", "docs"]
            .into_iter()
            .flat_map(|folder| {
                std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap()
            })
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let page = page();
        let mut embedded: BTreeSet<String> =
            page.assets.iter().map(|file| file.name.to_owned()).collect();
        embedded.extend(["index.html".into(), "docs.html".into()]);
        assert_eq!(embedded.len(), page.assets.len() + 2, "two files have one name");
        assert_eq!(there, embedded);
    }

    /// The names in `text` that stand between these two.
    fn between<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split_once('"').map(|(name, _)| name))
    }

    #[test]
    fn a_document_names_every_module_that_it_needs() {
        let page = page();
        for (document, entries) in
            [(&page.index, ["app.js", "style.css"]), (&page.docs, ["docs.js", "docs.css"])]
        {
            let text = std::str::from_utf8(&document.plain).unwrap();
            let prefix = format!("\"/assets/{}/", page.version);
            let named: BTreeSet<&str> = between(text, &prefix).collect();
            assert!(entries.iter().all(|entry| named.contains(entry)), "{named:?}");
            let mut needed = named.clone();
            for name in &named {
                let file = page.asset(name).unwrap_or_else(|| panic!("{name}"));
                if name.ends_with(".js") {
                    let module = std::str::from_utf8(&file.plain).unwrap();
                    needed.extend(between(module, "from \"./"));
                }
            }
            assert_eq!(needed, named, "each is preloaded, and there");
        }
    }

    #[test]
    fn every_module_is_asked_for() {
        let page = page();
        let documents = [&page.index, &page.docs].map(|file| String::from_utf8_lossy(&file.plain));
        for file in page.assets.iter().filter(|file| file.name.ends_with(".js")) {
            assert!(documents.iter().any(|text| text.contains(file.name)), "{}", file.name);
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        let page = page();
        for file in page.assets.iter().chain([&page.index, &page.docs]) {
            if file.name.ends_with(".jpg") {
                continue;
            }
            let text = std::str::from_utf8(&file.plain).unwrap();
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "javascript:",
                "https://",
                "http://",
                "<style",
                " style=",
                "onclick=",
            ] {
                // the namespace of SVG is a name, not an address
                let found = text.replace("http://www.w3.org/2000/svg", "").contains(forbidden);
                assert!(!found, "{} has {forbidden}", file.name);
            }
        }
    }

    #[test]
    fn the_page_is_small_and_its_gzip_is_the_page() {
        let page = page();
        let (mut dashboard, mut docs) = (0, 0);
        for file in page.assets.iter().chain([&page.index, &page.docs]) {
            let sent = file.gzip.as_ref().unwrap_or(&file.plain).len();
            let is_of_docs = DOCS_ASSETS.iter().any(|(name, _)| *name == file.name)
                || file.name == page.docs.name;
            *if is_of_docs { &mut docs } else { &mut dashboard } += sent;
            if let Some(gzip) = &file.gzip {
                let mut plain = Vec::new();
                GzDecoder::new(gzip.as_ref()).read_to_end(&mut plain).unwrap();
                assert_eq!(plain, file.plain, "{}", file.name);
            }
            assert_ne!(file.content_type, "application/octet-stream", "{}", file.name);
        }
        assert!(dashboard < 150_000, "{dashboard} bytes");
        assert!(docs < 20_000, "{docs} bytes");
    }
}
