//! The binary is linked lean, and holds the API's description compressed.
#![allow(clippy::print_stdout, reason = "what a build script prints is for cargo")]

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use std::path::Path;
use std::{env, fs};

fn main() -> io::Result<()> {
    lean_link::link_lean();
    println!("cargo:rerun-if-changed=openapi.json");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read("openapi.json")?)?;
    fs::write(Path::new(&out).join("openapi.json.gz"), encoder.finish()?)
}
