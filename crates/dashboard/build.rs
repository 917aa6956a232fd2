//! The page's files, compressed: the binaries hold them in a third of the room.
#![allow(clippy::print_stdout, reason = "what a build script prints is for cargo")]

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use std::path::Path;
use std::{env, fs};

fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    for folder in ["page", "docs"] {
        println!("cargo:rerun-if-changed={folder}");
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&fs::read(entry.path())?)?;
            let mut name = entry.file_name();
            name.push(".gz");
            fs::write(Path::new(&out).join(name), encoder.finish()?)?;
        }
    }
    Ok(())
}
