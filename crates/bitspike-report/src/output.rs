//! Text for the terminal, Markdown, JSON, and writing any of them to a file.

use std::path::Path;

use bitspike_run::{csv_line, write_text_atomic};

use crate::{
    Comparison, ReportError,
    fmt::ascii,
    group, points,
    tables::{self, Table},
};

/// The widest line of [`text`], characters.
const WIDTH: usize = 120;

/// The comparison as plain ASCII text of at most 120 columns: conclusion, caveats, tables.
pub fn text(c: &Comparison) -> String {
    let mut out = wrap(&ascii(&c.conclusion.headline), "");
    out.push('\n');
    for point in &c.conclusion.points {
        out.push_str(&wrap(&ascii(point), "  "));
    }
    if !c.conclusion.points.is_empty() {
        out.push('\n');
    }
    for table in all_tables(c) {
        out.push_str(&text_table(&table));
        out.push('\n');
    }
    for caveat in &c.caveats {
        out.push_str(&wrap(&format!("note: {}", ascii(caveat)), ""));
    }
    out
}

/// The comparison as Markdown: conclusion, tables, caveats.
pub fn markdown(c: &Comparison) -> String {
    let mut out = format!("**{}**\n\n", escape_markdown(&c.conclusion.headline));
    for point in &c.conclusion.points {
        out.push_str(&format!("- {}\n", escape_markdown(point)));
    }
    if !c.conclusion.points.is_empty() {
        out.push('\n');
    }
    for table in all_tables(c) {
        out.push_str(&format!("### {}\n\n", table.title));
        let row = |cells: &[String]| {
            format!("| {} |\n", cells.iter().map(|cell| escape_markdown(cell)).collect::<Vec<_>>().join(" | "))
        };
        out.push_str(&row(&table.columns));
        out.push_str(&format!("|---|{}\n", "---:|".repeat(table.columns.len() - 1)));
        table.rows.iter().for_each(|cells| out.push_str(&row(cells)));
        out.push_str(&format!("\n{}\n\n", escape_markdown(&table.note)));
    }
    for caveat in &c.caveats {
        out.push_str(&format!("> {}\n>\n", escape_markdown(caveat)));
    }
    out
}

/// The comparison as JSON: the fields of [`Comparison`], fractions from 0 to 1, units in the names.
pub fn json(c: &Comparison) -> String {
    // Every key is a string and every number finite or written as null, so this cannot fail.
    let mut text = serde_json::to_string_pretty(c).unwrap_or_default();
    text.push('\n');
    text
}

/// A line per run, finished or not: method, the recipe keys in which runs differ, seed, figures. Fractions from 0 to 1; what is not
/// there is empty.
pub fn csv(c: &Comparison) -> String {
    let keys: Vec<String> =
        group::differing_keys(&c.loaded.iter().collect::<Vec<_>>()).into_iter().filter(|key| key != "method").collect();
    let figures = [
        "accuracy",
        "best_held_out_accuracy",
        "best_epoch",
        "flips_per_weight",
        "back_10",
        "unchanged_since_start",
        "firing_rate",
        "train_seconds",
    ];
    let names = keys.iter().map(String::as_str);
    let header: Vec<&str> = ["method"]
        .into_iter()
        .chain(names)
        .chain(["seed", "status", "epochs", "accuracy_on"])
        .chain(figures)
        .chain(["folder"])
        .collect();
    let mut out = csv_line(header.into_iter().map(str::to_owned));
    for (run, loaded) in c.runs.iter().zip(&c.loaded) {
        let value = |key: &String| {
            let value = loaded.recipe.as_ref().and_then(|recipe| recipe.get(key));
            value.map_or_else(String::new, |value| value.trim_matches('"').to_owned())
        };
        let figures = [
            run.accuracy,
            run.best_accuracy,
            run.best_epoch.map(|epoch| epoch as f64),
            run.flips_per_weight,
            run.back_10,
            run.unchanged_since_start,
            run.firing_rate,
            run.train_seconds,
        ];
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        out += &csv_line(
            [run.method.clone()]
                .into_iter()
                .chain(keys.iter().map(value))
                .chain([run.seed.to_string(), run.status.to_string(), run.epochs.to_string()])
                .chain([run.accuracy_on.clone().unwrap_or_default()])
                .chain(figures.map(number))
                .chain([run.folder.display().to_string()]),
        );
    }
    out
}

/// Makes a form of the comparison and writes it, all or nothing.
///
/// # Errors
/// [`ReportError::Write`].
pub fn write(c: &Comparison, path: &Path, form: fn(&Comparison) -> String) -> Result<(), ReportError> {
    write_text_atomic(path, &form(c)).map_err(ReportError::Write)
}

fn all_tables(c: &Comparison) -> Vec<Table> {
    let mut tables = vec![tables::outcome(c)];
    tables.extend(tables::classics(c));
    tables.extend(points::table(c).or_else(|| tables::tested(c)));
    tables.extend(tables::pairs(c));
    tables.extend([tables::flips(c), tables::cost(c), tables::runs(c)]);
    tables
}

/// Aligned columns; the first gives way when the line would be too wide.
fn text_table(table: &Table) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(&table.columns)
        .chain(&table.rows)
        .map(|row| row.iter().map(|cell| ascii(cell)).collect())
        .collect();
    let mut widths: Vec<usize> =
        (0..table.columns.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    // Too wide: shorten the widest column again and again, none below 8.
    while widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > WIDTH {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 8) else { break };
        *widest -= 1;
    }
    let line = |row: &[String]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let cell = shorten(cell, *width);
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            })
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut out = line(&rows[0]);
    let total = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    out.push_str(&format!("{}\n", "-".repeat(total.min(WIDTH))));
    rows[1..].iter().for_each(|row| out.push_str(&line(row)));
    out
}

/// Takes the middle out of ASCII text, marked by two dots: labels of one method often differ at the end.
fn shorten(text: &str, width: usize) -> String {
    if text.len() <= width {
        return text.into();
    }
    let tail = (width - 2) / 2;
    format!("{}..{}", &text[..width - 2 - tail], &text[text.len() - tail..])
}

/// Wraps at spaces; following lines are indented two further.
fn wrap(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        if line.trim().is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            out.push_str(&line);
            out.push('\n');
            line = format!("{indent}  {word}");
        }
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// Keeps names from becoming markup or ending a table cell.
fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\n' | '\r' => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}
