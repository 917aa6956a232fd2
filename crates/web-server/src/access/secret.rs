//! Tokens, and what is kept of them.
//!
//! A token is 256 random bits, so nobody can guess one, whatever a guess costs: a hash that is slow
//! on purpose, as passwords need, would only slow every request down. SHA-256 is right, and cheap.
//!
//! From a token follows its *pass*, which a browser's cookie carries in its place, and from pass
//! and salt the digest that the tokens file has. So whoever reads the file can make neither, and
//! whoever gets hold of a cookie knows neither the token nor, without the salt, how to make its
//! time longer.

use ring::digest::{Context, SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use subtle::ConstantTimeEq;

/// What every token begins with, so that one that got lost somewhere is known for what it is.
const PREFIX: &str = "mlvi_";
const SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const ALGORITHM: &str = "sha256";

/// A token, as its owner has it.
#[derive(Clone)]
pub struct Secret(String);

/// What a cookie has in place of a token.
#[derive(Clone, Copy)]
pub(crate) struct Pass([u8; 32]);

/// What the tokens file has: salt and digest, as `sha256:SALT:DIGEST` in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash {
    salt: [u8; SALT_BYTES],
    digest: [u8; 32],
}

/// A text that is no hash of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 'sha256:', 32 hexadecimal digits, ':' and 64 more: `mlvi token new` makes one")]
pub struct InvalidHash;

/// The system gives no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        Ok(Self(format!("{PREFIX}{}", hex(&random::<SECRET_BYTES>()?))))
    }

    /// What a client brings; `None` when it cannot be a token of ours.
    pub(crate) fn of_client(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        unhex::<SECRET_BYTES>(digits).map(|_| Self(text.to_owned()))
    }

    /// The token itself: shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What to keep of it, with a new salt.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn hash(&self) -> Result<Hash, NoRandomness> {
        let salt = random()?;
        Ok(Hash { salt, digest: salted(&salt, self.pass()) })
    }

    pub(crate) fn pass(&self) -> Pass {
        let mut context = Context::new(&SHA256);
        context.update(b"mlvi pass\0");
        context.update(self.0.as_bytes());
        Pass(bytes(context.finish().as_ref()))
    }
}

impl Pass {
    pub(crate) fn to_hex(self) -> String {
        hex(&self.0)
    }

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

impl Hash {
    /// Whether a pass belongs to this hash; takes the same time for every pass.
    pub(crate) fn is_of(&self, pass: Pass) -> bool {
        salted(&self.salt, pass).ct_eq(&self.digest).into()
    }

    /// A key that only those know who have read the tokens file.
    pub(crate) fn key(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(b"mlvi session\0");
        context.update(&self.salt);
        context.update(&self.digest);
        bytes(context.finish().as_ref())
    }
}

fn salted(salt: &[u8; SALT_BYTES], pass: Pass) -> [u8; 32] {
    let mut text = [0; SALT_BYTES + 32];
    text[..SALT_BYTES].copy_from_slice(salt);
    text[SALT_BYTES..].copy_from_slice(&pass.0);
    bytes(digest(&SHA256, &text).as_ref())
}

/// SHA-256 gives 32 bytes.
fn bytes(digest: &[u8]) -> [u8; 32] {
    digest.try_into().expect("SHA-256 gives 32 bytes")
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // writing to a String cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}:{}:{}", hex(&self.salt), hex(&self.digest))
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let parts: Vec<&str> = text.split(':').collect();
        let [ALGORITHM, salt, digest] = parts[..] else { return Err(InvalidHash) };
        match (unhex(salt), unhex(digest)) {
            (Some(salt), Some(digest)) => Ok(Self { salt, digest }),
            _ => Err(InvalidHash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_its_own_hash_alone() {
        let (one, other) = (Secret::fresh().unwrap(), Secret::fresh().unwrap());
        let hash = one.hash().unwrap();
        assert!(hash.is_of(one.pass()) && !hash.is_of(other.pass()));
        assert_ne!(hash, one.hash().unwrap(), "each has a salt of its own");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(format!("{one:?}"), "Secret");
    }

    /// The tokens of files that were made before stay good.
    #[test]
    fn the_hash_of_a_token_never_changes() {
        let token = Secret::of_client(&format!("mlvi_{}", "0f".repeat(32))).unwrap();
        let hash = Hash { salt: [7; 16], digest: salted(&[7; 16], token.pass()) };
        let text = hash.to_string();
        assert_eq!(text, KNOWN, "printf 'mlvi pass\\0TOKEN' | sha256sum, and so on");
    }

    #[test]
    fn what_is_no_token_or_hash_is_refused() {
        for text in ["", "mlvi_", "mlvi_0", &format!("mlvi_{}", "G".repeat(64)), &"0".repeat(69)] {
            assert!(Secret::of_client(text).is_none(), "{text}");
        }
        let hash = Secret::fresh().unwrap().hash().unwrap().to_string();
        let (short, upper) = (&hash[..hash.len() - 1], hash.to_uppercase());
        for text in ["", "sha256", "sha256::", short, &upper, &hash.replacen("256", "512", 1)] {
            assert_eq!(text.parse::<Hash>(), Err(InvalidHash), "{text}");
        }
    }

    /// By another implementation of SHA-256.
    const KNOWN: &str = "sha256:07070707070707070707070707070707:\
        3d324a91c3c2914f550cd4412fd0d5dcccc981eea9b8029ccb323a5a67d0cc7c";
}
