//! The syntax of a Darknet `.cfg`: sections of `key=value` lines, each with its line number.
//!
//! As Darknet's `read_cfg` reads it, except that Darknet takes the number at the start of a value and passes over what follows, and
//! passes over lines without `=`; both are errors here, and so is a key that a section has twice.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A line that cannot be followed; the caller knows the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong, and what is allowed.
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn new(line: usize, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

/// One `[section]`; its keys are taken out one by one, and what is left at the end was not understood.
#[derive(Debug)]
pub(crate) struct Section {
    /// Without the brackets.
    pub(crate) name: String,
    /// Where the section starts.
    pub(crate) line: usize,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    value: String,
    line: usize,
}

/// Splits a file into sections. `#` starts a comment anywhere in a line, `;` at its start.
pub(crate) fn parse(text: &str) -> Result<Vec<Section>, Problem> {
    let mut sections: Vec<Section> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        let line = raw.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name =
                rest.strip_suffix(']').ok_or_else(|| Problem::new(number, format!("'{line}' lacks its closing bracket")))?;
            sections.push(Section { name: name.trim().to_owned(), line: number, entries: Vec::new() });
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(Problem::new(number, format!("'{line}' is neither [section] nor key=value")));
        };
        let Some(section) = sections.last_mut() else {
            return Err(Problem::new(number, "a key comes before the first [section]"));
        };
        section.add(Entry { key: key.trim().to_owned(), value: value.trim().to_owned(), line: number })?;
    }
    Ok(sections)
}

impl Section {
    fn add(&mut self, entry: Entry) -> Result<(), Problem> {
        match self.entries.iter().find(|earlier| earlier.key == entry.key) {
            Some(earlier) => {
                Err(Problem::new(entry.line, format!("'{}' is given a second time, first in line {}", entry.key, earlier.line)))
            }
            None => {
                self.entries.push(entry);
                Ok(())
            }
        }
    }

    fn take(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.swap_remove(index))
    }

    /// A number of either kind; `default` when the key is absent.
    pub(crate) fn number<T>(&mut self, key: &str, default: T, range: RangeInclusive<T>) -> Result<T, Problem>
    where
        T: FromStr + PartialOrd + Display,
    {
        Ok(self.optional_number(key, range)?.unwrap_or(default))
    }

    /// A number that may be absent.
    pub(crate) fn optional_number<T>(&mut self, key: &str, range: RangeInclusive<T>) -> Result<Option<T>, Problem>
    where
        T: FromStr + PartialOrd + Display,
    {
        self.take(key).map(|entry| entry.number(&entry.value, &range)).transpose()
    }

    /// 0 or 1.
    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, Problem> {
        Ok(self.number(key, 0u8, 0..=1)? == 1)
    }

    /// Numbers between commas, none when the key is absent.
    pub(crate) fn numbers<T>(&mut self, key: &str, range: RangeInclusive<T>) -> Result<Vec<T>, Problem>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(entry) = self.take(key) else { return Ok(Vec::new()) };
        entry.value.split(',').map(|item| entry.number(item.trim(), &range)).collect()
    }

    /// One of the words given, with what it stands for; `default` when the key is absent.
    pub(crate) fn word<T: Copy>(&mut self, key: &str, default: T, words: &[(&str, T)]) -> Result<T, Problem> {
        let Some(entry) = self.take(key) else { return Ok(default) };
        let found = words.iter().find(|(word, _)| *word == entry.value).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Problem::new(entry.line, format!("{key} is '{}'; allowed: {}", entry.value, allowed.join(", ")))
        })
    }

    /// Every key must have been taken by now, or be one that does not touch the result of inference.
    pub(crate) fn finish(mut self, without_effect: &[&str]) -> Result<(), Problem> {
        self.entries.sort_by_key(|entry| entry.line);
        match self.entries.iter().find(|entry| !without_effect.contains(&entry.key.as_str())) {
            Some(entry) => Err(Problem::new(
                entry.line,
                format!("the key '{}' is not known in [{}], and might change the result", entry.key, self.name),
            )),
            None => Ok(()),
        }
    }
}

impl Entry {
    fn number<T: FromStr + PartialOrd + Display>(&self, text: &str, range: &RangeInclusive<T>) -> Result<T, Problem> {
        text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Problem::new(self.line, format!("{} has '{text}'; it must be a number from {least} to {most}", self.key))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keys_comments_and_line_numbers_are_read() {
        let mut sections = parse("# top\n[net]\n width = 4 # wide\n;old=1\n\n[yolo]\nmask=0, 1,2\n").unwrap();
        assert_eq!(sections.iter().map(|s| (s.name.as_str(), s.line)).collect::<Vec<_>>(), [("net", 2), ("yolo", 6)]);
        assert_eq!(sections[0].number("width", 0, 0..=9), Ok(4));
        assert_eq!(sections[1].numbers("mask", 0..=9), Ok(vec![0, 1, 2]));
        assert_eq!(sections.into_iter().try_for_each(|section| section.finish(&[])), Ok(()));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let first = |text: &str| parse(text).unwrap_err();
        assert_eq!(first("a=1").line, 1);
        assert_eq!(first("[net\n").line, 1);
        assert_eq!(first("[net]\nfoo\n").line, 2);
        let twice = first("[net]\nwidth=1\nwidth=2\n");
        assert_eq!((twice.line, twice.text.as_str()), (3, "'width' is given a second time, first in line 2"));
    }

    #[test]
    fn bad_numbers_and_trailing_garbage_are_refused() {
        for value in ["", "x", "1x", "1 2", "1,", "10", "-1", "1.5", "99999999999999999999"] {
            let mut sections = parse(&format!("[net]\nwidth={value}\n")).unwrap();
            let problem = sections[0].number("width", 0u32, 0..=9).unwrap_err();
            assert_eq!(problem.line, 2, "{value}");
            assert!(problem.text.contains("width") && problem.text.contains("0 to 9"), "{}", problem.text);
        }
        let mut sections = parse("[net]\nscale=nan\n").unwrap();
        assert!(sections[0].number("scale", 1.0f32, 0.0..=9.0).is_err());
    }

    #[test]
    fn a_key_nobody_took_is_refused_unless_it_is_without_effect() {
        let section = || parse("[net]\nangle=0\nflip=1\n").unwrap().remove(0);
        assert_eq!(section().finish(&["angle"]).unwrap_err().line, 3);
        assert_eq!(section().finish(&["angle", "flip"]), Ok(()));
    }
}
