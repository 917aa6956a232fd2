//! Documents from the parser's events.

use super::scalar::resolve;
use super::{Content, Document, Entry, Node, SyntaxError};
use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::collections::{HashMap, HashSet};

/// No manifest is nested like that; a text that is would use up the stack.
const MAX_DEPTH: usize = 100;
/// Aliases of aliases grow without limit: so many values may come from them. What stands in the
/// text itself is as large as the text.
const MAX_COPIES: usize = 200_000;

/// Every document of a text that holds anything.
pub(crate) fn read(text: &str) -> Result<Vec<Document>, SyntaxError> {
    let mut builder = Builder {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        duplicates: Vec::new(),
        copies: 0,
    };
    let mut documents = Vec::new();
    let mut number = 0;
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::DocumentStart(..) => {
                number += 1;
                builder.anchors.clear();
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            event => {
                let root = builder.node(event, span, &mut Vec::new())?;
                let duplicates = std::mem::take(&mut builder.duplicates);
                // between two separators there may be nothing but comments
                if !matches!(root.content, Content::Scalar(Value::Null)) {
                    documents.push(Document { number, root, duplicates });
                }
            }
        }
    }
    Ok(documents)
}

struct Builder<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    duplicates: Vec<(String, usize)>,
    copies: usize,
}

impl<'a> Builder<'a> {
    /// The next event that is data: where another crate asks the parser for comments, they come,
    /// too.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, SyntaxError> {
        for next in self.events.by_ref() {
            let (event, span) = next.map_err(|error| syntax_error(&error))?;
            if is_data(&event) {
                return Ok(Some((event, span)));
            }
        }
        Ok(None)
    }

    fn within(&mut self, line: usize) -> Result<(Event<'a>, Span), SyntaxError> {
        self.next()?
            .ok_or_else(|| SyntaxError { line, reason: "the text ends in the middle".into() })
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        path: &mut Vec<String>,
    ) -> Result<Node, SyntaxError> {
        let line = span.start.line();
        if path.len() > MAX_DEPTH || self.copies > MAX_COPIES {
            return Err(SyntaxError {
                line,
                reason: "it is nested too deeply, or too large".into(),
            });
        }
        let (anchor, content) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain
                    || tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                (
                    anchor,
                    Content::Scalar(if is_text {
                        Value::String(text.into_owned())
                    } else {
                        resolve(&text)
                    }),
                )
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(line, path)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map(line, path)?),
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(SyntaxError { line, reason: "an alias without its anchor".into() });
                };
                self.copies += count(&node);
                return Ok(Node { line, ..node });
            }
            other => return Err(SyntaxError { line, reason: format!("unexpected {other:?}") }),
        };
        let node = Node { line, content };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, line: usize, path: &mut Vec<String>) -> Result<Content, SyntaxError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.within(line)?;
            if event == Event::SequenceEnd {
                return Ok(Content::List(items));
            }
            path.push(format!("[{}]", items.len()));
            items.push(self.node(event, span, path)?);
            path.pop();
        }
    }

    fn map(&mut self, line: usize, path: &mut Vec<String>) -> Result<Content, SyntaxError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        loop {
            let (event, span) = self.within(line)?;
            if event == Event::MappingEnd {
                // `<<: *defaults`: what the map says itself wins
                for entry in merged {
                    if known.insert(entry.key.clone()) {
                        entries.push(entry);
                    }
                }
                return Ok(Content::Map(entries));
            }
            let key_line = span.start.line();
            let Event::Scalar(key, ..) = event else {
                return Err(SyntaxError { line: key_line, reason: "a key must be a text".into() });
            };
            let key = key.into_owned();
            path.push(key.clone());
            let (event, span) = self.within(key_line)?;
            let value = self.node(event, span, path)?;
            if key == "<<" {
                if let Content::Map(entries) = value.content {
                    merged.extend(entries);
                }
            } else if !known.insert(key.clone()) {
                self.duplicates.push((path.join(".").replace(".[", "["), key_line));
            } else {
                entries.push(Entry { key, line: key_line, value });
            }
            path.pop();
        }
    }
}

/// Comments are no variant at all unless some crate asks for them, so that they cannot be named
/// here.
const fn is_data(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd
    )
}

fn syntax_error(error: &ScanError) -> SyntaxError {
    let text = error.to_string();
    // the parser puts the place behind its words, which is told apart here
    let reason = text
        .split(" at byte ")
        .next()
        .and_then(|text| text.split(" at char ").next())
        .unwrap_or(&text);
    SyntaxError { line: error.marker().line(), reason: reason.to_owned() }
}

fn count(node: &Node) -> usize {
    match &node.content {
        Content::Scalar(_) => 1,
        Content::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Content::Map(entries) => 1 + entries.iter().map(|entry| count(&entry.value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_have_their_lines() {
        let text = "# first\nkind: A\nspec:\n  list: # of things\n    - name: x\n      on: yes # \
            or no\n---\n---\nkind: B\n";
        let documents = read(text).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(
            documents[0].root.to_json(),
            json!({"kind": "A", "spec": {"list": [{"name": "x", "on": true}]}})
        );
        assert_eq!(
            (documents[0].root.line, documents[1].root.line, documents[1].number),
            (2, 9, 3)
        );
        let element = &documents[0].root.items(&["spec", "list"])[0];
        assert_eq!(element.entry("on").map(|entry| entry.line), Some(6));
    }

    #[test]
    fn a_key_that_stands_twice_is_named_with_its_line() {
        let documents = read("spec:\n  a:\n  - {x: 1, x: 2}\n  b: 1\n  b: 2\n").unwrap();
        assert_eq!(
            documents[0].duplicates,
            [("spec.a[0].x".to_owned(), 3), ("spec.b".to_owned(), 5)]
        );
    }

    #[test]
    fn the_last_of_very_many_keys_is_known_too() {
        let mut text: String = (0..60_000).map(|number| format!("k{number}: v\n")).collect();
        text += "k0: again\n";
        assert_eq!(read(&text).unwrap()[0].duplicates, [("k0".to_owned(), 60_001)]);
    }

    #[test]
    fn aliases_and_merges_are_resolved_and_bounded() {
        let documents = read("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\n").unwrap();
        let expected = json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}, "c": {"p": 1, "q": 3}});
        assert_eq!(documents[0].root.to_json(), expected);
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(","));
        }
        assert!(read(&bomb).unwrap_err().reason.contains("too large"));
    }

    #[test]
    fn a_text_that_is_no_yaml_is_named_with_its_line() {
        let error = read("kind: A\nspec: [1, 2\nother: 3\n").unwrap_err();
        assert!((2..=4).contains(&error.line) && !error.reason.is_empty(), "{error:?}");
        assert!(read("a: b\n\tc: d\n").is_err());
    }
}
