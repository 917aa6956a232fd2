//! For the build scripts of binaries.
//!
//! Generic code is compiled for each type that it is used with, and often comes out the same: rustc's
//! own linker, LLD, can keep one function of those that are alike, which takes 2 % from a binary. (Two
//! functions may then have one address. Rust promises no other: `std::ptr::fn_addr_eq` says so.)
//!
//! A position-independent binary lists every address that has to be moved when it is loaded: with
//! thousands of tables of functions, as tract has them, a twelfth of the file. Linkers can pack the
//! list to a few per cent of that (`DT_RELR`), which glibc reads from version 2.36 on.

#![allow(clippy::print_stdout, reason = "what a build script prints is for cargo")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first glibc that reads the packed form.
const FIRST: (u32, u32) = (2, 36);

/// Has the binaries of the crate linked with what makes them smaller, as far as this machine could run
/// them (it is the one that they are built for, as far as can be told) and its linker knows how.
pub fn link_lean() {
    println!("cargo:rerun-if-changed=build.rs");
    if !is_native_gnu() {
        return;
    }
    if glibc().is_some_and(|version| version >= FIRST) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !chooses_a_linker(&flags) && sysroot().is_some_and(|root| has_lld(&root)) {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Whether whoever builds has another linker in mind than rustc's. Unknown options end a linker.
fn chooses_a_linker(flags: &str) -> bool {
    ["linker", "fuse-ld", "link-self-contained"].iter().any(|word| flags.contains(word))
        || env::var_os("RUSTC_LINKER").is_some()
}

/// Whether that toolchain has LLD for x86-64, which it links with by itself since Rust 1.90. Those of
/// distributions may come without.
fn has_lld(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld/ld.lld").is_file()
}

fn sysroot() -> Option<PathBuf> {
    let rustc = env::var_os("RUSTC")?;
    let told = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    Some(std::str::from_utf8(&told.stdout).ok()?.trim().into())
}

/// Whether cargo builds for this very kind of machine, and that has glibc. (With GNU's linker for 64-bit
/// Arm the option came later.)
fn is_native_gnu() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|held| held == value);
    is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && env::var("HOST").is_ok_and(|host| is("TARGET", &host))
}

fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    version(std::str::from_utf8(&told.stdout).ok()?)
}

/// Reads `glibc 2.36`.
fn version(told: &str) -> Option<(u32, u32)> {
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linker_of_somebody_elses_choice_is_left_alone() {
        assert!(!chooses_a_linker(""));
        assert!(!chooses_a_linker("-Ctarget-cpu=native"));
        for flags in ["-Clinker=clang", "-Clink-arg=-fuse-ld=mold", "-Clink-self-contained=no"] {
            assert!(chooses_a_linker(flags), "{flags}");
        }
        assert!(!has_lld(Path::new("/nowhere")));
    }

    #[test]
    fn versions_are_read_as_getconf_tells_them() {
        assert_eq!(version("glibc 2.36\n"), Some((2, 36)));
        assert_eq!(version("glibc 2.3.4\n"), Some((2, 3)));
        assert!(version("glibc 3.0").is_some_and(|version| version >= FIRST));
        assert!(version("glibc 2.9").is_some_and(|version| version < FIRST));
        for other in ["", "musl 1.2", "glibc", "glibc x.y"] {
            assert_eq!(version(other), None, "{other}");
        }
    }
}
