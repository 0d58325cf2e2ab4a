//! What every run was made from, and the assumptions behind the energy figures.

use std::collections::BTreeMap;

use super::parts::table;
use crate::{Comparison, fmt, group, load::Loaded, svg::escape, tables};

/// Runs, facts, recipes, network, commands, notes.
pub(crate) fn section(c: &Comparison) -> String {
    let mut out = table(c, &tables::runs(c));
    out.push_str(&facts(c));
    out.push_str(&recipes(c));
    out.push_str(&network(c));
    out.push_str(&commands(c));
    out
}

/// The value if all runs agree, else each value with the runs it holds for.
fn shared(c: &Comparison, of: impl Fn(&Loaded) -> String) -> String {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in &c.loaded {
        values.entry(of(run)).or_default().push(run.folder_name());
    }
    if values.len() == 1 {
        return values.into_keys().next().unwrap_or_default();
    }
    values
        .into_iter()
        .map(|(value, runs)| {
            let value = if value.is_empty() { "–" } else { &value };
            format!("<div>{value} <span class=\"note\">({})</span></div>", escape(&fmt::list(&runs)))
        })
        .collect()
}

fn row(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("<tr><td>{name}</td><td>{value}</td></tr>") }
}

fn facts(c: &Comparison) -> String {
    let mut rows = String::new();
    let mut fact = |name: &str, of: &dyn Fn(&Loaded) -> String| rows.push_str(&row(name, &shared(c, of)));
    fact("Data set", &|run| escape(&run.info.dataset.name));
    fact("Split", &|run| escape(&run.info.dataset.split));
    fact("Samples", &|run| {
        let data = &run.info.dataset;
        let validation = match data.validation_samples {
            0 => String::new(),
            n => format!(", {} validation", fmt::count(n)),
        };
        format!("{} training{validation}, {} test", fmt::count(data.train_samples), fmt::count(data.test_samples))
    });
    fact("Sample", &|run| {
        let [channels, height, width] = run.info.dataset.sample_shape;
        let classes = &run.info.dataset.classes;
        let named = if classes.is_empty() { String::new() } else { format!(": {}", escape(&classes.join(", "))) };
        format!("{channels} × {height} × {width}, {}{named}", class_count(classes.len()))
    });
    fact("Files, SHA-256", &|run| {
        let files = run.info.dataset.files.iter().map(|file| {
            format!(
                "<div>{}, {} <span class=\"mono\">{}</span></div>",
                escape(&file.path),
                fmt::bytes(file.bytes),
                escape(&file.sha256)
            )
        });
        files.collect()
    });
    fact("Versions", &|run| {
        let versions = run.info.versions.iter().map(|(name, version)| format!("{} {}", escape(name), escape(version)));
        versions.collect::<Vec<_>>().join(", ")
    });
    fact("Processor", &|run| {
        let machine = &run.info.machine;
        format!("{}, {} logical processors, {} threads used", escape(&machine.cpu), machine.cores, machine.threads)
    });
    fact("Kernel path", &|run| {
        let machine = &run.info.machine;
        let features = match machine.cpu_features.is_empty() {
            true => String::new(),
            false => format!(" (processor has {})", escape(&machine.cpu_features.join(", "))),
        };
        format!("{}{features}", escape(&machine.kernel_path))
    });
    fact("System", &|run| {
        format!(
            "{} on {}, device {}",
            escape(&run.info.machine.os),
            escape(&run.info.machine.arch),
            escape(&run.info.device)
        )
    });
    let mut started: Vec<&str> = c.loaded.iter().map(|run| run.info.started.as_str()).collect();
    started.sort_unstable(); // RFC 3339 in one time zone sorts as text
    let (first, last) = (started.first().copied().unwrap_or_default(), started.last().copied().unwrap_or_default());
    let when = if first == last { escape(first) } else { format!("{} to {}", escape(first), escape(last)) };
    rows.push_str(&row("Started", &when));
    format!("<div class=\"card facts\"><h3>Made from</h3><table><tbody>{rows}</tbody></table></div>\n")
}

fn class_count(n: usize) -> String {
    if n == 1 { "one class".into() } else { format!("{n} classes") }
}

/// The recipe keys on which runs differ, then every recipe in full.
fn recipes(c: &Comparison) -> String {
    let runs: Vec<&Loaded> = c.loaded.iter().collect();
    let missing: Vec<String> = runs.iter().filter(|run| run.recipe.is_none()).map(|run| run.folder_name()).collect();
    let keys = group::differing_keys(&runs);
    let mut out = String::from("<div class=\"card\"><h3>Recipes</h3>");
    if !missing.is_empty() {
        out.push_str(&format!("<p class=\"note\">No readable recipe: {}.</p>", escape(&fmt::list(&missing))));
    }
    if missing.len() == runs.len() {
        out.push_str("</div>\n");
        return out;
    }
    // One column per method: its runs agree on all keys, by construction of the groups.
    let columns: Vec<(&str, &BTreeMap<String, String>)> = c
        .methods
        .iter()
        .filter_map(|m| Some((m.label.as_str(), c.loaded_of(&m.label).find_map(|(_, run)| run.recipe.as_ref())?)))
        .collect();
    if keys.is_empty() {
        out.push_str("<p class=\"note\">All runs share one recipe, but for the seed.</p>");
    } else {
        let head: String =
            columns.iter().map(|(label, _)| format!("<th scope=\"col\">{}</th>", escape(label))).collect();
        let rows: String = keys
            .iter()
            .map(|key| {
                let cells = columns.iter().map(|(_, recipe)| {
                    format!("<td class=\"mono\">{}</td>", escape(recipe.get(key).map_or("–", String::as_str)))
                });
                format!("<tr><td class=\"mono\">{}</td>{}</tr>", escape(key), cells.collect::<String>())
            })
            .collect();
        out.push_str(&format!(
            "<p class=\"note\">Only these keys differ between methods.</p><div class=\"scroll\"><table><thead><tr>\
             <th scope=\"col\">key</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        ));
    }
    for (label, recipe) in columns {
        let lines: String = recipe.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        out.push_str(&format!(
            "<details><summary>Full recipe of {}</summary><pre>{}</pre></details>",
            escape(label),
            escape(&lines)
        ));
    }
    out.push_str("</div>\n");
    out
}

/// The first run's network, layer by layer.
fn network(c: &Comparison) -> String {
    let Some(run) = c.loaded.first().filter(|run| !run.info.network.layers.is_empty()) else { return String::new() };
    let network = &run.info.network;
    let real: Vec<&str> = network
        .layers
        .iter()
        .filter(|layer| !layer.binary && layer.weights > 0)
        .map(|layer| layer.name.as_str())
        .collect();
    let real = if real.is_empty() { "none".into() } else { fmt::list(&real) };
    let shape = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let rows: String = network
        .layers
        .iter()
        .map(|layer| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&layer.name),
                escape(&layer.kind),
                if layer.binary { "1 bit" } else { "32 bits" },
                shape(&layer.shape),
                fmt::count(layer.weights),
                fmt::count(layer.macs),
                shape(&layer.output)
            )
        })
        .collect();
    format!(
        "<div class=\"card\"><h3>Network</h3><p class=\"note\">{} binary weights and {} other parameters, T = {}: {} at 1 bit \
         per binary weight, {} in float32. Layers with real weights: {}.</p>\
         <details><summary>All layers of {}</summary><div class=\"scroll\"><table><thead><tr><th>layer</th><th>kind</th>\
         <th>weights as</th><th>shape</th><th>weights</th><th>MACs per time step</th><th>output</th></tr></thead>\
         <tbody>{rows}</tbody></table></div></details></div>\n",
        fmt::count(network.binary_weights),
        fmt::count(network.real_parameters),
        network.t,
        fmt::bytes(network.bytes_1bit),
        fmt::bytes(network.bytes_f32),
        escape(&real),
        escape(&run.folder_name())
    )
}

/// Commands, and the remarks the runs left.
fn commands(c: &Comparison) -> String {
    let lines: String = c.loaded.iter().map(|run| format!("{}\n", escape(&shell(&run.info.command)))).collect();
    let mut out = format!(
        "<div class=\"card\"><h3>Commands</h3><details><summary>How each run was started</summary><pre>{lines}</pre></details>"
    );
    let notes: String = c
        .loaded
        .iter()
        .flat_map(|run| run.notes.iter().map(move |(epoch, text)| (run, epoch, text)))
        .map(|(run, epoch, text)| {
            let when = if *epoch == 0 { "at the start".into() } else { format!("epoch {epoch}") };
            format!("<tr><td>{}, {when}</td><td>{}</td></tr>", escape(&run.folder_name()), escape(text))
        })
        .collect();
    if !notes.is_empty() {
        out.push_str(&format!(
            "<details open><summary>Remarks from the runs</summary><div class=\"facts\"><table><tbody>{notes}</tbody></table></div></details>"
        ));
    }
    out.push_str("</div>\n");
    out
}

/// A command line as one would type it.
fn shell(arguments: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=:,+@%".contains(c));
    let quote = |word: &String| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Which layers were counted how, and with which constants.
pub(crate) fn energy(c: &Comparison) -> String {
    let of = |pick: fn(&bitspike_run::Energy) -> String| {
        let mut values: Vec<String> = c.runs.iter().filter_map(|run| run.energy.as_ref()).map(pick).collect();
        values.sort();
        values.dedup();
        values.iter().map(|value| format!("<div>{}</div>", escape(value))).collect::<String>()
    };
    let rows = [
        row("Assumptions", &of(|energy| energy.assumptions.clone())),
        row("Counted as MAC", &of(|energy| energy.mac_layers.join(", "))),
        row("Counted as spikes", &of(|energy| energy.spiking_layers.join(", "))),
    ]
    .concat();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<div class=\"card facts\"><h3>Behind the energy estimates</h3><table><tbody>{rows}</tbody></table></div>\n"
    )
}
