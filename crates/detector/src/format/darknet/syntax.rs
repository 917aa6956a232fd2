//! The syntax of a Darknet `.cfg`: sections of `key=value` lines, each with its line number.
//!
//! Read as Darknet's `read_cfg`, `atoi` and `atof` read it, so that a file that runs there runs
//! here: blanks do not count, of a key that is there twice the first one holds, of a value the
//! number at its start, and lines that mean nothing are passed over. Whatever is passed over and
//! may be a mistake is a [`Diagnostic`] that does not stop the reading.

use super::keys::{Effect, Key};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A line that cannot be followed, or that was passed over; the caller knows the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong, and what is allowed.
    pub(crate) text: String,
}

impl Diagnostic {
    pub(crate) fn new(line: usize, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

/// One `[section]`; its keys are taken out one by one, and what is left at the end was not
/// understood.
#[derive(Debug)]
pub(crate) struct Section {
    /// Without the brackets.
    pub(crate) name: String,
    /// Where the section starts.
    pub(crate) line: usize,
    entries: Vec<Entry>,
    /// What was passed over.
    warnings: Vec<Diagnostic>,
}

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    value: String,
    line: usize,
}

/// Splits a file into sections. `#` and `;` start a comment anywhere in a line.
pub(crate) fn parse(text: &str) -> Result<Vec<Section>, Diagnostic> {
    let mut sections: Vec<Section> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        // Darknet takes out every blank of a line
        let line: String =
            raw.split(['#', ';']).next().unwrap_or_default().split_whitespace().collect();
        if line.is_empty() {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.strip_suffix(']');
            let name = name.ok_or_else(|| {
                Diagnostic::new(number, format!("'{line}' lacks its closing bracket"))
            })?;
            sections.push(Section {
                name: name.into(),
                line: number,
                entries: Vec::new(),
                warnings: Vec::new(),
            });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            return Err(Diagnostic::new(
                number,
                format!("'{line}' comes before the first [section]"),
            ));
        };
        match line.split_once('=') {
            Some((key, value)) => {
                section.add(Entry { key: key.into(), value: value.into(), line: number })
            }
            None => section.warn(
                number,
                format!("'{line}' is neither [section] nor key=value, and is passed over"),
            ),
        }
    }
    Ok(sections)
}

impl Section {
    fn add(&mut self, entry: Entry) {
        match self.entries.iter().find(|earlier| earlier.key == entry.key) {
            Some(Entry { line, value, .. }) => {
                let text = format!(
                    "'{}' is given a second time and passed over: '{value}' in line {line} holds",
                    entry.key
                );
                self.warn(entry.line, text);
            }
            None => self.entries.push(entry),
        }
    }

    fn warn(&mut self, line: usize, text: String) {
        self.warnings.push(Diagnostic::new(line, text));
    }

    /// Key, value and line of everything that was not taken yet.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str(), entry.line))
    }

    fn take(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }

    /// A number of either kind; `default` when the key is absent.
    pub(crate) fn number<T>(
        &mut self,
        key: &str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, Diagnostic>
    where
        T: FromStr + PartialOrd + Display,
    {
        Ok(self.optional_number(key, range)?.unwrap_or(default))
    }

    /// A number that may be absent.
    pub(crate) fn optional_number<T>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, Diagnostic>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(entry) = self.take(key) else { return Ok(None) };
        self.read(&entry, &entry.value, &range).map(Some)
    }

    /// Any whole number but 0 is a yes.
    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, Diagnostic> {
        Ok(self.number(key, 0i32, i32::MIN..=i32::MAX)? != 0)
    }

    /// Numbers between commas, none when the key is absent.
    pub(crate) fn numbers<T>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Result<Vec<T>, Diagnostic>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(entry) = self.take(key) else { return Ok(Vec::new()) };
        entry.value.split(',').map(|item| self.read(&entry, item, &range)).collect()
    }

    /// As [`Section::numbers`], and a comma at the end counts for nothing.
    pub(crate) fn numbers_and_comma<T>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Result<Vec<T>, Diagnostic>
    where
        T: FromStr + PartialOrd + Display,
    {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.value.truncate(entry.value.trim_end_matches(',').len());
        }
        self.numbers(key, range)
    }

    /// One of the words given, with what it stands for; `default` when the key is absent.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &str,
        default: T,
        words: &[(&str, T)],
    ) -> Result<T, Diagnostic> {
        let Some(entry) = self.take(key) else { return Ok(default) };
        let found =
            words.iter().find(|(word, _)| *word == entry.value).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Diagnostic::new(
                entry.line,
                format!("{key} is '{}'; allowed: {}", entry.value, allowed.join(", ")),
            )
        })
    }

    /// A key that changes the result in a way that is not supported, unless it has the value with
    /// which it does nothing.
    fn only(&mut self, key: &str, harmless: &str) -> Result<(), Diagnostic> {
        let Some(entry) = self.take(key) else { return Ok(()) };
        let number = |text: &str| text.parse::<f64>().ok();
        let same = entry.value == harmless
            || number(&entry.value).is_some_and(|value| Some(value) == number(harmless));
        if same {
            return Ok(());
        }
        let text = format!(
            "{key} is '{}', which changes the result and is not supported; allowed: {harmless}",
            entry.value
        );
        Err(Diagnostic::new(entry.line, text))
    }

    /// Takes out the keys that change the result in ways that are not supported.
    ///
    /// # Errors
    /// Names the first one that has another value than the one with which it does nothing.
    pub(super) fn refuse<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k Key>,
    ) -> Result<(), Diagnostic> {
        for key in keys {
            match key.effect {
                Effect::NoneWith(harmless) => self.only(key.name, harmless)?,
                Effect::Read | Effect::None => {}
            }
        }
        Ok(())
    }

    /// What was passed over: keys that nobody took and that are not known to be without effect are
    /// told, as Darknet tells "unused fields".
    pub(super) fn finish<'k>(
        mut self,
        keys: impl Iterator<Item = &'k Key> + Clone,
    ) -> Vec<Diagnostic> {
        for Entry { key: name, line, .. } in std::mem::take(&mut self.entries) {
            if !keys.clone().any(|key| key.effect == Effect::None && key.name == name) {
                self.warn(
                    line,
                    format!("the key '{name}' is not known in [{}], and is passed over", self.name),
                );
            }
        }
        self.warnings.sort_by_key(|warning| warning.line);
        self.warnings
    }

    /// The number at the start of a text, as C reads it.
    fn read<T: FromStr + PartialOrd + Display>(
        &mut self,
        entry: &Entry,
        text: &str,
        range: &RangeInclusive<T>,
    ) -> Result<T, Diagnostic> {
        let found = text.parse().ok().map(|value: T| (value, "")).or_else(|| {
            // the longest start that is a number of this kind; a number has few digits, and what
            // follows may be long
            let ends = (1..text.len().min(32)).rev().filter(|end| text.is_char_boundary(*end));
            ends.filter_map(|end| text[..end].parse().ok().map(|value| (value, &text[end..])))
                .next()
        });
        let (value, rest) = found.filter(|(value, _)| range.contains(value)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Diagnostic::new(
                entry.line,
                format!("{} has '{text}'; it must be a number from {least} to {most}", entry.key),
            )
        })?;
        if !rest.is_empty() {
            self.warn(entry.line, format!("{} has '{text}', which is read as {value}", entry.key));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::super::section::Kind;
    use super::*;

    #[test]
    fn sections_keys_comments_and_line_numbers_are_read() {
        let text = "# top\n[net]\r\n wi dth = 4 # wide\n;old=1\n\n[ yolo ]\nmask=0, 1,2 ; three\n";
        let mut sections = parse(text).unwrap();
        assert_eq!(
            sections.iter().map(|s| (s.name.as_str(), s.line)).collect::<Vec<_>>(),
            [("net", 2), ("yolo", 6)]
        );
        assert_eq!(sections[0].number("width", 0, 0..=9), Ok(4));
        assert_eq!(sections[1].numbers("mask", 0..=9), Ok(vec![0, 1, 2]));
        assert!(sections.into_iter().all(|section| section.finish([].iter()).is_empty()));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let first = |text: &str| parse(text).unwrap_err();
        assert_eq!(first("a=1").line, 1);
        assert_eq!(first("[net\n").line, 1);
    }

    #[test]
    fn what_is_passed_over_is_told_with_its_line() {
        let mut section =
            parse("[net]\nwidth=1\nwidth=2\nfoo\nangle=0\nflop=1\nheight=3x\nsize=1.5\n")
                .unwrap()
                .remove(0);
        assert_eq!(section.number("width", 0, 0..=9), Ok(1), "the first one holds");
        assert_eq!(
            (section.number("height", 0, 0..=9), section.number("size", 0, 0..=9)),
            (Ok(3), Ok(1)),
            "as atoi reads"
        );
        let told: Vec<(usize, String)> = section
            .finish(keys::of(Kind::Net))
            .into_iter()
            .map(|diagnostic| (diagnostic.line, diagnostic.text))
            .collect();
        let says = |line: usize, word: &str| {
            told.iter().any(|(at, text)| *at == line && text.contains(word))
        };
        assert!(
            told.len() == 5
                && says(3, "line 2")
                && says(4, "foo")
                && says(6, "flop")
                && says(7, "3x")
                && says(8, "1.5"),
            "{told:?}"
        );
    }

    #[test]
    fn bad_numbers_are_refused() {
        for value in ["", "x", ",1", "10", "-1", "99999999999999999999"] {
            let mut sections = parse(&format!("[net]\nwidth={value}\n")).unwrap();
            let diagnostic = sections[0].number("width", 0u32, 0..=9).unwrap_err();
            assert_eq!(diagnostic.line, 2, "{value}");
            assert!(
                diagnostic.text.contains("width") && diagnostic.text.contains("0 to 9"),
                "{}",
                diagnostic.text
            );
        }
        let mut sections = parse("[net]\nscale=nan\nlist=1,,2\nend=1,2,\n").unwrap();
        assert!(sections[0].number("scale", 1.0f32, 0.0..=9.0).is_err());
        assert!(sections[0].numbers("list", 0..=9).is_err());
        assert_eq!(sections[0].numbers_and_comma("end", 0..=9), Ok(vec![1, 2]));
    }

    #[test]
    fn result_changing_keys_may_only_be_harmless() {
        let section =
            || parse("[shortcut]\nalpha=1.0\nweights_type=none\nbeta=2\n").unwrap().remove(0);
        assert_eq!(
            (
                section().only("alpha", "1"),
                section().only("weights_type", "none"),
                section().only("gone", "0")
            ),
            (Ok(()), Ok(()), Ok(()))
        );
        let diagnostic = section().only("beta", "1").unwrap_err();
        assert!(diagnostic.line == 4 && diagnostic.text.contains("beta"), "{diagnostic:?}");
    }
}
