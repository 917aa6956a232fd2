//! Random passwords.

use anyhow::Context;

/// Over 200 bits.
const LENGTH: usize = 40;
/// No character that a shell, YAML or Kafka's configuration would want to see quoted.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A new password from the operating system's random source.
pub(super) fn random() -> anyhow::Result<String> {
    let mut password = String::with_capacity(LENGTH);
    let mut bytes = [0; 2 * LENGTH];
    while password.len() < LENGTH {
        getrandom::fill(&mut bytes)
            .map_err(std::io::Error::other)
            .context("the operating system's random source")?;
        // bytes that would make some letters likelier than others are left out
        let fair =
            bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < 4 * LETTERS.len());
        password.extend(
            fair.map(|byte| char::from(LETTERS[byte % LETTERS.len()]))
                .take(LENGTH - password.len()),
        );
    }
    Ok(password)
}
