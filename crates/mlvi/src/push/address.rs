//! Addresses of cameras: what is secret in them comes from elsewhere, and is never shown.

use std::path::Path;

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("a '${{' has no '}}' behind a name of A-Z a-z 0-9 _ - .")]
    Malformed,
    #[error("nothing is called {0}: no variable, and no file in the folder that --secrets names")]
    Unknown(String),
}

/// The address with every `${NAME}` replaced by what `value` gives for it. A value that is only a
/// part of the address may have any characters: they are percent-encoded.
pub(super) fn expand(
    text: &str,
    value: impl Fn(&str) -> Option<String>,
) -> Result<String, AddressError> {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind.split_once('}').ok_or(AddressError::Malformed)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_name) {
            return Err(AddressError::Malformed);
        }
        let value = value(name).ok_or_else(|| AddressError::Unknown(name.into()))?;
        let is_all = expanded.is_empty() && before.is_empty() && after.is_empty();
        expanded.push_str(before);
        expanded.push_str(&if is_all { value } else { encoded(&value) });
        rest = after;
    }
    Ok(expanded + rest)
}

/// What a name stands for: the variable, or else the file of this name in the folder of secrets,
/// without white space around it.
pub(super) fn secret(name: &str, folder: Option<&Path>) -> Option<String> {
    let variable = std::env::var(name).ok().filter(|value| !value.is_empty());
    variable.or_else(|| {
        let text = std::fs::read_to_string(folder?.join(name)).ok()?;
        Some(text.trim().to_owned())
    })
}

fn encoded(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

/// A text for people: in every address in it, what stands before `@` (user and password) and behind
/// `?` (tokens) is left out.
pub(super) fn redacted(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("://") {
        let word = behind.split(char::is_whitespace).next().unwrap_or_default();
        // a password may have any character but white space
        let place = word.rsplit_once('@').map_or(0, |(login, _)| login.len() + 1);
        let end = |c: char| c.is_whitespace() || "\"'<>`".contains(c);
        let behind = &behind[place..];
        let (address, after) = behind.split_at(behind.find(end).unwrap_or(behind.len()));
        shown.push_str(before);
        shown.push_str("://");
        match address.split_once('?') {
            Some((place, _)) => {
                shown.push_str(place);
                shown.push_str("?…");
            }
            None => shown.push_str(address),
        }
        rest = after;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_passwords_may_have_any_characters() {
        let value = |name: &str| match name {
            "USER" => Some("viewer".to_owned()),
            "gate-password" => Some("p@ss/w:rd?é".to_owned()),
            "gate" => Some("rtsp://u:p@10.0.0.7/1".to_owned()),
            _ => None,
        };
        for (text, expanded) in [
            ("rtsp://10.0.0.7/1", "rtsp://10.0.0.7/1"),
            ("${gate}", "rtsp://u:p@10.0.0.7/1"),
            (
                "rtsp://${USER}:${gate-password}@10.0.0.7/1",
                "rtsp://viewer:p%40ss%2Fw%3Ard%3F%C3%A9@10.0.0.7/1",
            ),
        ] {
            assert_eq!(expand(text, value).as_deref(), Ok(expanded));
        }
        assert_eq!(expand("${yard}", value), Err(AddressError::Unknown("yard".into())));
        for text in ["${gate", "${}", "${../gate}", "${a b}", "${.hidden}"] {
            assert_eq!(expand(text, value), Err(AddressError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_secret_is_a_file_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mlvi-test-gate"), "rtsp://a/1\n").unwrap();
        let found = secret("mlvi-test-gate", Some(folder.path()));
        assert_eq!(found.as_deref(), Some("rtsp://a/1"));
        assert_eq!(secret("mlvi-test-yard", Some(folder.path())), None);
        assert_eq!(secret("mlvi-test-gate", None), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        for (text, shown) in [
            ("rtsp://u:secret@host/1: refused", "rtsp://host/1: refused"),
            ("'http://u:se@cret@host:81/x' is", "'http://host:81/x' is"),
            ("http://host/x?user=u&pwd=secret", "http://host/x?…"),
            ("a rtsp://u:secret@a/1 b rtsps://secret@b/2", "a rtsp://a/1 b rtsps://b/2"),
            ("rtsp://u:it's<1@h/1: x", "rtsp://h/1: x"),
            ("no address, a@b", "no address, a@b"),
            ("ends in ://", "ends in ://"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }
}
