//! Quantities as Kubernetes writes them.

/// A quantity such as `500m`, `2`, `1.5Gi` or `1e3` as a number; `None` when it is none.
///
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        exponent => 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

/// Cores, more than 0 of them.
#[must_use]
pub fn cores(text: &str) -> Option<f64> {
    number(text).filter(|cores| *cores > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        let close =
            |text: &str, expected: f64| (number(text).unwrap() / expected - 1.0).abs() < 1e-12;
        for (text, expected) in [
            ("500m", 0.5),
            ("2", 2.0),
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("12E2", 1200.0),
            ("2Gi", 2_147_483_648.0),
            (".5", 0.5),
            ("1E", 1e18),
            ("-1", -1.0),
        ] {
            assert!(close(text, expected), "{text}");
        }
        for wrong in ["", "m", "5 m", "five", "1.2.3", "5mm", "5e", "1Kib", "64MB", "64mi", "+-1"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
        assert_eq!(cores("0"), None);
    }
}
