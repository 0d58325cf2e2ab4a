//! Names with `*`, and file-name patterns with named fields.

use crate::SensorError;

/// True if `name` is `pattern`, where `*` stands for any characters, also none.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    // The leftmost place for each part leaves the most room for the next.
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// True if any of the patterns matches.
pub(crate) fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|p| matches(p, name))
}

/// A pattern as `{label}_{group}_{take}.wav`: fields of one or more characters between fixed text.
///
/// A field does not contain `/`. A pattern with `/` is held against the path below the folder, one without against the
/// file name. A name that can be read in two ways is an error.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Fixed(String),
    Field(String),
}

impl Pattern {
    /// Reads a pattern; `key` is where it comes from, for errors.
    pub(crate) fn new(text: &str, key: &str) -> Result<Self, SensorError> {
        let bad = |expected: &str| SensorError::config(key, expected, format!("{text:?}"));
        let (mut pieces, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            if let Some(field) = rest.strip_prefix('{') {
                let (name, after) = field.split_once('}').ok_or_else(|| bad("a } for every {"))?;
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err(bad("fields as {label}, of letters, digits and _"));
                }
                if pieces.iter().any(|p| matches!(p, Piece::Field(f) if f == name)) {
                    return Err(bad("every field once"));
                }
                if let Some(Piece::Field(_)) = pieces.last() {
                    return Err(bad("fixed text between fields"));
                }
                pieces.push(Piece::Field(name.into()));
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                if rest[..end].contains('}') {
                    return Err(bad("a { for every }"));
                }
                pieces.push(Piece::Fixed(rest[..end].into()));
                rest = &rest[end..];
            }
        }
        if !pieces.iter().any(|p| matches!(p, Piece::Field(_))) {
            return Err(bad("at least one field, as {label}"));
        }
        Ok(Self { text: text.into(), pieces })
    }

    /// True if there is a field of this name.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Field(f) if f == field))
    }

    /// The fields of a path below the folder.
    pub(crate) fn read<'a>(&'a self, path: &'a str) -> Result<Vec<(&'a str, &'a str)>, SensorError> {
        let name = if self.text.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
        let bad = |found: &str| SensorError::Name {
            name: path.into(),
            expected: format!("{:?}", self.text),
            found: found.into(),
        };
        // ways[i][j]: in how many ways pieces i.. match name[j..], counted up to 2.
        let (bytes, n) = (name.as_bytes(), name.len());
        let mut ways = vec![vec![0u8; n + 1]; self.pieces.len() + 1];
        ways[self.pieces.len()][n] = 1;
        for (i, piece) in self.pieces.iter().enumerate().rev() {
            for j in (0..=n).rev() {
                ways[i][j] = match piece {
                    Piece::Fixed(text) if bytes[j..].starts_with(text.as_bytes()) => ways[i + 1][j + text.len()],
                    Piece::Fixed(_) => 0,
                    Piece::Field(_) => {
                        let len = bytes[j..].iter().position(|b| *b == b'/').unwrap_or(n - j);
                        let ends = (1..=len).filter(|l| name.is_char_boundary(j + l));
                        ends.fold(0u8, |sum, l| sum.saturating_add(ways[i + 1][j + l])).min(2)
                    }
                };
            }
        }
        match ways[0][0] {
            0 => return Err(bad("no match")),
            1 => {}
            _ => return Err(bad("more than one way to read it")),
        }
        let (mut fields, mut j) = (Vec::new(), 0);
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Fixed(text) => j += text.len(),
                Piece::Field(field) => {
                    let end = (j + 1..=n).find(|&e| ways[i + 1][e] == 1 && name.is_char_boundary(e)).unwrap_or(n);
                    fields.push((field.as_str(), &name[j..end]));
                    j = end;
                }
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars() {
        let rows = [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csvx", false),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXc", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("*007*", "OR007@3", true),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(p, n, want)| matches(p, n) != *want).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn fields_of_names() {
        let p = Pattern::new("{label}_{group}_{take}.wav", "labels.pattern").unwrap();
        assert_eq!(p.read("x/7_jackson_32.wav").unwrap(), [("label", "7"), ("group", "jackson"), ("take", "32")]);
        assert!(p.has("take") && !p.has("x"));
        for name in ["7_jackson.wav", "7_a_b_3.wav", "_a_3.wav", "7_a_3.csv", ""] {
            assert!(matches!(p.read(name), Err(SensorError::Name { .. })), "{name}");
        }
        let p = Pattern::new("{group}/{label}/{x}.csv", "labels.pattern").unwrap();
        assert_eq!(p.read("s1/walk/ä.csv").unwrap(), [("group", "s1"), ("label", "walk"), ("x", "ä")]);
        assert!(p.read("a/s1/walk/1.csv").is_err());
    }

    #[test]
    fn wrong_patterns() {
        for text in ["", "abc", "{label", "label}", "{}", "{a}{b}", "{a}_{a}", "{a b}"] {
            let e = Pattern::new(text, "labels.pattern").unwrap_err();
            assert!(matches!(&e, SensorError::Config { key, .. } if key == "labels.pattern"), "{text}: {e}");
        }
    }

    proptest::proptest! {
        #[test]
        fn stars_as_by_recursion(pattern in "[ab*]{0,7}", name in "[ab]{0,8}") {
            fn twin(p: &[u8], n: &[u8]) -> bool {
                match (p.first(), n.first()) {
                    (None, None) => true,
                    (Some(b'*'), _) if twin(&p[1..], n) => true,
                    (Some(b'*'), Some(_)) => twin(p, &n[1..]),
                    (Some(a), Some(b)) => a == b && twin(&p[1..], &n[1..]),
                    _ => false,
                }
            }
            proptest::prop_assert_eq!(matches(&pattern, &name), twin(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
