//! Texts that have a form of their own.

/// Whether a text is base64 with its padding (RFC 4648, section 4).
pub(crate) fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    let padding = text.len() - data.len();
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.len().is_multiple_of(4) && padding <= 2 && data.bytes().all(alphabet)
}

/// Whether a text is a moment as RFC 3339 has it, e.g. `2026-01-02T03:04:05.678Z`.
pub(crate) fn is_time(text: &str) -> bool {
    let Some((date, clock)) = text.split_once(['T', 't', ' ']) else { return false };
    let Some(zone) = clock.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, zone) = clock.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let offset = zone.strip_prefix(['+', '-']);
    is_made_of(date, '-', &[(4, 0..=9999), (2, 1..=12), (2, 1..=31)])
        && is_made_of(clock, ':', &[(2, 0..=23), (2, 0..=59), (2, 0..=60)])
        && digits(fraction)
        && match offset {
            Some(offset) => is_made_of(offset, ':', &[(2, 0..=23), (2, 0..=59)]),
            None => zone.len() == 1,
        }
}

/// Whether a text is made of numbers with so many digits and within these bounds.
fn is_made_of(
    text: &str,
    separator: char,
    parts: &[(usize, std::ops::RangeInclusive<u32>)],
) -> bool {
    let numbers: Vec<&str> = text.split(separator).collect();
    let fits = |(number, (digits, bounds)): (&&str, &(usize, std::ops::RangeInclusive<u32>))| {
        number.len() == *digits
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && number.parse().is_ok_and(|number: u32| bounds.contains(&number))
    };
    numbers.len() == parts.len() && numbers.iter().zip(parts).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_alphabet_and_its_padding() {
        for right in ["", "YQ==", "YWI=", "YWJj", "+/+/"] {
            assert!(is_base64(right), "{right}");
        }
        for wrong in ["a", "YQ=", "YQ===", "Y===", "YW J", "YQ==YQ==", "ä==", "ab-_"] {
            assert!(!is_base64(wrong), "{wrong}");
        }
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        for right in [
            "2026-01-02T03:04:05Z",
            "2026-12-31T23:59:60.123456Z",
            "2026-01-02t03:04:05z",
            "2026-01-02T03:04:05+01:30",
        ] {
            assert!(is_time(right), "{right}");
        }
        for wrong in [
            "",
            "today",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-13-02T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "26-01-02T03:04:05Z",
            "2026-01-02T03:04Z",
            "2026-01-02T03:04:05+1",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05Zulu",
        ] {
            assert!(!is_time(wrong), "{wrong}");
        }
    }
}
