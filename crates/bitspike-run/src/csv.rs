//! A line of CSV (RFC 4180).

/// Cells with commas between them and a line break behind: a cell with a comma, a quote or a line break is quoted.
///
/// ```
/// let line = bitspike_run::csv_line(["a".to_owned(), "b, \"c\"".to_owned(), String::new()]);
/// assert_eq!(line, "a,\"b, \"\"c\"\"\",\n");
/// ```
pub fn csv_line(cells: impl IntoIterator<Item = String>) -> String {
    let cell = |text: String| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    };
    cells.into_iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
}
