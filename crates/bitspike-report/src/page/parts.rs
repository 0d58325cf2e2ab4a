//! Pieces the page is made of: figures with caption and legend, tables.

use crate::{
    Comparison,
    svg::{escape, legend_key},
    tables::Table,
};

/// A plot with its words.
pub(crate) struct PageFigure {
    pub title: String,
    /// How to read it.
    pub caption: String,
    pub content: Content,
    /// Methods in it, by index; no legend if empty.
    pub legend: Vec<usize>,
    /// Takes the whole width.
    pub wide: bool,
}

pub(crate) enum Content {
    /// One plot.
    Plot(String),
    /// Several with titles of their own.
    Panels(Vec<(String, String)>),
}

impl PageFigure {
    /// A plot of half the width; `None` if there is no plot.
    pub fn new(title: &str, caption: impl Into<String>, plot: Option<String>, legend: Vec<usize>) -> Option<Self> {
        let content = Content::Plot(plot?);
        Some(Self { title: title.into(), caption: caption.into(), content, legend, wide: false })
    }
}

/// Figures in a grid.
pub(crate) fn figures(c: &Comparison, list: Vec<PageFigure>) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"grid\">\n");
    // A last one alone in its row would look lost at half the width; it stays, the row is left open.
    for figure in &list {
        let class = if figure.wide { " class=\"wide\"" } else { "" };
        out.push_str(&format!("<figure{class}><figcaption><h3>{}</h3>", escape(&figure.title)));
        if !figure.caption.is_empty() {
            out.push_str(&format!("<p>{}</p>", escape(&figure.caption)));
        }
        out.push_str("</figcaption>");
        if !figure.legend.is_empty() {
            let keys = figure.legend.iter().filter_map(|index| {
                let method = c.methods.get(*index)?;
                Some(format!("<span>{}{}</span>", legend_key(*index), escape(&method.label)))
            });
            out.push_str(&format!("<div class=\"legend\">{}</div>", keys.collect::<String>()));
        }
        match &figure.content {
            Content::Plot(svg) => out.push_str(svg),
            Content::Panels(panels) => {
                out.push_str("<div class=\"panels\">");
                for (title, svg) in panels {
                    out.push_str(&format!("<div><h4>{}</h4>{svg}</div>", escape(title)));
                }
                out.push_str("</div>");
            }
        }
        out.push_str("</figure>\n");
    }
    out.push_str("</div>\n");
    out
}

/// A table in a card; rows that are methods get the method's key.
pub(crate) fn table(c: &Comparison, table: &Table) -> String {
    let head: String = table.columns.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    let rows: String = table
        .rows
        .iter()
        .map(|row| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let key = c.methods.iter().position(|method| column == 0 && method.label == *cell);
                format!("<td>{}{}</td>", key.map_or(String::new(), legend_key), escape(cell))
            });
            format!("<tr>{}</tr>", cells.collect::<String>())
        })
        .collect();
    format!(
        "<div class=\"card\"><h3>{}</h3><div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>\
         </table></div><p class=\"note\">{}</p></div>\n",
        escape(&table.title),
        escape(&table.note)
    )
}
