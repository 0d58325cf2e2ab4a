//! What stands for a missing value.

/// Texts that stand for a missing value in every text file, in any case of letters, besides an empty field: what pandas, R,
/// Excel, MATLAB, C libraries, databases and loggers write.
pub const MISSING_TEXTS: [&str; 36] = [
    "",
    "nan",
    "na",
    "n/a",
    "null",
    "none",
    "nil",
    "?",
    "-",
    "--",
    "---",
    ".",
    "*",
    "#n/a",
    "#n/a n/a",
    "#na",
    "<na>",
    "#value!",
    "#div/0!",
    "#num!",
    "#ref!",
    "#name?",
    "#null!",
    "+nan",
    "-nan",
    "nan(ind)",
    "-nan(ind)",
    "-nan(snan)",
    "1.#qnan",
    "-1.#qnan",
    "1.#ind",
    "-1.#ind",
    "(null)",
    "\\n",
    "nat",
    "missing",
];

/// What stands for a missing value: [`MISSING_TEXTS`] and those of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markers {
    texts: Vec<String>,
    numbers: Vec<f64>,
}

impl Markers {
    /// With more texts; those that are numbers count by their value.
    pub(crate) fn new(more: &[String]) -> Self {
        let texts = more.iter().map(|t| t.trim().to_owned()).collect();
        Self { texts, numbers: more.iter().filter_map(|t| t.trim().parse().ok()).collect() }
    }

    /// Whether a text stands for a missing value.
    pub(crate) fn text(&self, text: &str) -> bool {
        MISSING_TEXTS.iter().any(|m| m.eq_ignore_ascii_case(text))
            || self.texts.iter().any(|m| m.eq_ignore_ascii_case(text))
    }

    /// Whether a number stands for a missing value: NaN does.
    pub(crate) fn number(&self, v: f64) -> bool {
        v.is_nan() || self.numbers.contains(&v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        let m = Markers::new(&["OVER".into(), " -999".into()]);
        assert!(["NaN", "N/A", "--", "#N/A", "over", "", "-999"].iter().all(|t| m.text(t)));
        assert!(!["0", "-1", "x", "999"].iter().any(|t| m.text(t)));
        assert!(m.number(-999.0) && m.number(f64::NAN) && !m.number(999.0));
    }
}
