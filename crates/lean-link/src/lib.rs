//! For the build scripts of binaries.
//!
//! A position-independent binary lists every address that has to be moved when it is loaded: with
//! thousands of tables of functions, as tract has them, a twelfth of the file. Linkers can pack the
//! list to a few per cent of that (`DT_RELR`), which glibc reads from version 2.36 on.

#![allow(clippy::print_stdout, reason = "what a build script prints is for cargo")]

use std::env;
use std::process::Command;

/// The first glibc that reads the packed form.
const FIRST: (u32, u32) = (2, 36);

/// Has the binaries of the crate linked with the packed form, if this machine could run them: it is
/// the one that they are built for, as far as can be told.
pub fn pack_relocations() {
    println!("cargo:rerun-if-changed=build.rs");
    if is_native_gnu() && glibc().is_some_and(|version| version >= FIRST) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
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
