//! The HTML page: one file, no network, no scripts, light and dark, readable on a phone.
//!
//! Every string that comes from a run passes through [`escape`]; the style sheet is in the page; plots are SVG in the
//! page. The browser's preference chooses light or dark.

mod curves;
mod glossary;
mod layers;
mod parts;
mod plots;
mod plots_flips;
mod plots_spikes;
mod provenance;

use crate::{Comparison, fmt, points, svg::escape, tables};
use parts::{figures, table};

const STYLE: &str = include_str!("style.css");

/// The comparison as one self-contained HTML page.
///
/// Conclusion in words, tables, plots, what every run was made from, and a definition of every figure.
pub fn html(c: &Comparison) -> String {
    let title = title(c);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"generator\" content=\"bitspike {}\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<div class=\"page{}\">\n",
        env!("CARGO_PKG_VERSION"),
        escape(&title),
        if c.baseline.is_some() { "" } else { " nobase" }
    );
    out.push_str(&header(c, &title));
    out.push_str(&results(c));
    section(&mut out, "accuracy", "Accuracy and loss", "", &figures(c, plots::accuracy(c)));
    let flips = figures(c, plots_flips::flips(c));
    section(
        &mut out,
        "flips",
        "Flips",
        "How often binary weights change sign while training, and how much of that is undone again.",
        &format!("{}{flips}", table(c, &tables::flips(c))),
    );
    let spikes = figures(c, plots_spikes::spikes(c));
    section(&mut out, "spikes", "Spikes, gates and scales", "What the neurons and the gate did.", &spikes);
    let cost = figures(c, plots::cost(c));
    let lead = "Joules here are estimates from operation counts. None was measured.";
    section(
        &mut out,
        "cost",
        "Size, energy and time",
        lead,
        &format!("{}{cost}{}", table(c, &tables::cost(c)), provenance::energy(c)),
    );
    section(&mut out, "runs", "Runs and provenance", "", &provenance::section(c));
    section(&mut out, "glossary", "Glossary", "What every figure on this page means.", &glossary::list());
    out.push_str(&format!(
        "<footer>Made by bitspike {} from the run folders listed above. The page loads nothing from elsewhere.</footer>\n\
         </div>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    ));
    out
}

fn section(out: &mut String, id: &str, title: &str, lead: &str, content: &str) {
    if content.is_empty() {
        return;
    }
    out.push_str(&format!("<section id=\"{id}\">\n<h2>{title}</h2>\n"));
    if !lead.is_empty() {
        out.push_str(&format!("<p class=\"lead\">{lead}</p>\n"));
    }
    out.push_str(content);
    out.push_str("</section>\n");
}

/// `agmm and const against bsnn on fashion-mnist`.
fn title(c: &Comparison) -> String {
    let others: Vec<&str> = c
        .methods
        .iter()
        .map(|method| method.label.as_str())
        .filter(|label| Some(*label) != c.baseline.as_deref())
        .collect();
    let named = match others.len() {
        0..=3 => fmt::list(&others),
        n => format!("{n} methods"),
    };
    let who = match (&c.baseline, others.is_empty()) {
        (Some(baseline), true) => baseline.clone(),
        (Some(baseline), false) => format!("{named} against {baseline}"),
        (None, _) => named,
    };
    let mut data: Vec<&str> = c.loaded.iter().map(|run| run.info.dataset.name.as_str()).collect();
    data.sort_unstable();
    data.dedup();
    if data == [""] { who } else { format!("{who} on {}", fmt::list(&data)) }
}

fn header(c: &Comparison, title: &str) -> String {
    let mut facts = vec![fmt::plural(c.runs.len(), "run"), fmt::plural(c.methods.len(), "method")];
    let mut seeds: Vec<u64> = c.runs.iter().map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let shown: Vec<String> = seeds.iter().take(6).map(u64::to_string).collect();
    facts.push(match seeds.len() {
        1 => format!("seed {}", shown[0]),
        2..=6 => format!("seeds {}", fmt::list(&shown)),
        n => format!("{n} seeds"),
    });
    if let Some(first) = c.loaded.first() {
        let data = &first.info.dataset;
        facts.push(format!("{} training samples", fmt::count(data.train_samples)));
        facts.push(format!("{} test samples", fmt::count(data.test_samples)));
        facts.push(format!("T = {}", first.info.network.t));
        if first.epochs.len() > 1 {
            facts.push(format!("{} epochs", first.epochs.len()));
        }
    }
    let links = [
        ("result", "Result"),
        ("accuracy", "Accuracy"),
        ("flips", "Flips"),
        ("spikes", "Spikes"),
        ("cost", "Cost"),
        ("runs", "Runs"),
        ("glossary", "Glossary"),
    ]
    .map(|(id, name)| format!("<a href=\"#{id}\">{name}</a>"))
    .join("");
    format!(
        "<header>\n<p class=\"eyebrow\">Binary spiking networks · training report</p>\n<h1>{}</h1>\n\
         <p class=\"meta\">{}</p>\n<nav>{links}</nav>\n</header>\n",
        escape(title),
        escape(&facts.join(" · "))
    )
}

/// Headline, caveats, accuracy table, intervals.
fn results(c: &Comparison) -> String {
    let items = |sentences: &[String]| -> String {
        sentences.iter().map(|sentence| format!("<li>{}</li>", escape(sentence))).collect()
    };
    let mut out = format!(
        "<section id=\"result\">\n<div class=\"result\"><p class=\"headline\">{}</p>",
        escape(&c.conclusion.headline)
    );
    if !c.conclusion.points.is_empty() {
        out.push_str(&format!("<ul>{}</ul>", items(&c.conclusion.points)));
    }
    out.push_str("</div>\n");
    if !c.caveats.is_empty() {
        out.push_str(&format!("<div class=\"caveats\"><b>Read with care</b><ul>{}</ul></div>\n", items(&c.caveats)));
    }
    out.push_str(&table(c, &tables::outcome(c)));
    if let Some(classics) = tables::classics(c) {
        out.push_str(&table(c, &classics));
    }
    out.push_str(&figures(c, plots::result(c)));
    if let Some(points) = points::table(c).or_else(|| tables::tested(c)) {
        out.push_str(&table(c, &points));
    }
    if let Some(pairs) = tables::pairs(c) {
        out.push_str(&table(c, &pairs));
    }
    out.push_str("</section>\n");
    out
}
