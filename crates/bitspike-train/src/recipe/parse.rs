//! TOML text and `--set` pairs to a checked [`Recipe`].
//!
//! Keys are checked against the keys of the default recipe first: that finds unknown ones with their line and can propose the
//! nearest. Types are then checked by serde, and ranges by the parts of the recipe themselves.

use super::Recipe;
use super::error::{Origin, RecipeError};
use super::preset::{Preset, lay_under};
use crate::optim::{BinaryRule, OptimizerKind};
use bitspike_data::{DataError, SetName};
use bitspike_nn::Loss;
use bitspike_nn::layers::{Estimator, NormKind};
use bitspike_nn::network::{Family, NetworkName};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Optional keys that are absent from the default recipe, and the free-form values below which no key is checked.
const OPTIONAL: [&str; 12] = [
    "data.path",
    "data.train_limit",
    "data.test_limit",
    "data.size",
    "data.channels",
    "data.events",
    "data.sensors",
    "data.simulate",
    "neuron.width",
    "init.from",
    "init.map",
    "distill.teacher",
];
/// Keys of the network's table that a name decides.
pub(super) const NAMED: [&str; 3] = ["family", "layers", "head"];
const FREE: [&str; 4] = ["augment.normalize", "data.events", "data.sensors", "data.simulate"];

pub(super) fn parse(text: &str, origin: &str, sets: &[String]) -> Result<Recipe, RecipeError> {
    let lines = Lines::new(text, origin);
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| RecipeError::Syntax {
        origin: lines.at(e.span().map_or(0, |s| s.start)),
        reason: e.message().to_owned(),
    })?;
    let mut origins = BTreeMap::new();
    for (key, line) in &lines.keys {
        origins.insert(key.clone(), Origin::File { name: origin.to_owned(), line: *line });
    }
    for pair in sets {
        let (key, value) = split_pair(pair)?;
        insert(&mut table, key, value).ok_or_else(|| RecipeError::Value {
            origin: Origin::Set(pair.clone()),
            key: key.to_owned(),
            reason: "a part of this key is a value, not a table".to_owned(),
        })?;
        origins.insert(key.to_owned(), Origin::Set(pair.clone()));
    }
    let of = |key: &str| -> Origin {
        let mut part = key;
        loop {
            if let Some(origin) = origins.get(part) {
                return origin.clone();
            }
            match part.rsplit_once('.') {
                Some((front, _)) => part = front,
                None => return Origin::File { name: origin.to_owned(), line: 0 },
            }
        }
    };
    check_keys(&table, "", &of)?;
    lay_preset(&mut table, &of)?;
    encode_steps(&mut table);
    let mut recipe = deserialize(&table, &of)?;
    if !table.contains_key("name") {
        recipe.name = recipe.data.set.to_string();
    }
    check_network(&table, &recipe, &of)?;
    check_ranges(&recipe, &of)?;
    Ok(recipe)
}

/// Line of every key, and of every byte.
struct Lines<'a> {
    text: &'a str,
    origin: &'a str,
    keys: BTreeMap<String, usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, origin: &'a str) -> Self {
        let mut lines = Self { text, origin, keys: BTreeMap::new() };
        if let Ok(document) = toml::de::DeTable::parse(text) {
            lines.collect("", document.get_ref());
        }
        lines
    }

    fn line(&self, byte: usize) -> usize {
        1 + self.text.as_bytes()[..byte.min(self.text.len())].iter().filter(|&&b| b == b'\n').count()
    }

    fn at(&self, byte: usize) -> Origin {
        Origin::File { name: self.origin.to_owned(), line: self.line(byte) }
    }

    fn collect(&mut self, prefix: &str, table: &toml::de::DeTable<'_>) {
        for (key, value) in table.iter() {
            let path = join(prefix, key.get_ref());
            let line = self.line(key.span().start);
            if let toml::de::DeValue::Table(inner) = value.get_ref() {
                self.collect(&path, inner);
            }
            self.keys.insert(path, line);
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// `key=value`; the value is TOML where it parses as such, otherwise a string.
fn split_pair(pair: &str) -> Result<(&str, Value), RecipeError> {
    let bad = || RecipeError::Pair { found: pair.to_owned() };
    let (key, value) = pair.split_once('=').ok_or_else(bad)?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(bad());
    }
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    Ok((key, parsed.unwrap_or_else(|| Value::String(value.to_owned()))))
}

fn insert(table: &mut Table, key: &str, value: Value) -> Option<()> {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
            Some(())
        }
        Some((front, rest)) => {
            let inner = table.entry(front).or_insert_with(|| Value::Table(Table::new()));
            insert(inner.as_table_mut()?, rest, value)
        }
    }
}

/// Valid keys of the table at `prefix`, from the default recipe.
fn valid_keys(prefix: &str) -> Vec<String> {
    let defaults = Table::try_from(Recipe::default()).expect("a recipe is plain tables");
    let mut table = &defaults;
    for part in prefix.split('.').filter(|p| !p.is_empty()) {
        match table.get(part) {
            Some(Value::Table(inner)) => table = inner,
            _ => return Vec::new(),
        }
    }
    let optional = OPTIONAL.iter().filter_map(|key| match key.rsplit_once('.') {
        Some((front, leaf)) if front == prefix => Some(leaf.to_owned()),
        _ => None,
    });
    table.keys().cloned().chain(optional).collect()
}

fn check_keys(table: &Table, prefix: &str, of: &impl Fn(&str) -> Origin) -> Result<(), RecipeError> {
    let valid = valid_keys(prefix);
    for (key, value) in table {
        let path = join(prefix, key);
        if !valid.contains(key) {
            return Err(unknown(&path, key, prefix, valid, of));
        }
        match value {
            Value::Table(inner) if !FREE.contains(&path.as_str()) => check_keys(inner, &path, of)?,
            _ => {}
        }
    }
    Ok(())
}

fn unknown(path: &str, key: &str, prefix: &str, valid: Vec<String>, of: &impl Fn(&str) -> Origin) -> RecipeError {
    // A key in the wrong table is as common as a typo: look through all of them.
    let mut everywhere: Vec<String> = valid.iter().map(|k| join(prefix, k)).collect();
    for table in valid_keys("") {
        everywhere.extend(valid_keys(&table).iter().map(|k| join(&table, k)));
    }
    let score = |candidate: &String| {
        let leaf = candidate.rsplit('.').next().unwrap_or(candidate);
        strsim::normalized_damerau_levenshtein(&key.to_lowercase(), &leaf.to_lowercase())
            .max(strsim::normalized_damerau_levenshtein(path, candidate) - 0.05)
    };
    let best = everywhere.into_iter().map(|c| (score(&c), c)).filter(|(s, _)| *s >= 0.5);
    let nearest = best.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, c)| c);
    RecipeError::UnknownKey { origin: of(path), key: path.to_owned(), nearest, valid }
}

/// Deserialises table by table, so that an error is attributed to its key.
fn deserialize(table: &Table, of: &impl Fn(&str) -> Origin) -> Result<Recipe, RecipeError> {
    match table.clone().try_into::<Recipe>() {
        Ok(recipe) => Ok(recipe),
        Err(whole) => {
            let key = find_bad_key(table, "").unwrap_or_default();
            Err(RecipeError::Value { origin: of(&key), key, reason: whole.message().replace('\n', " ") })
        }
    }
}

/// The first key whose value alone makes the default recipe invalid.
fn find_bad_key(table: &Table, prefix: &str) -> Option<String> {
    for (key, value) in table {
        let path = join(prefix, key);
        let mut alone = Table::new();
        insert(&mut alone, &path, value.clone())?;
        if alone.try_into::<Recipe>().is_ok() {
            continue;
        }
        return match value {
            Value::Table(inner) if !FREE.contains(&path.as_str()) => find_bad_key(inner, &path).or(Some(path)),
            _ => Some(path),
        };
    }
    None
}

/// Lays the keys of the preset under those of the recipe; those of sensors only where there are sensors.
fn lay_preset(table: &mut Table, of: &impl Fn(&str) -> Origin) -> Result<(), RecipeError> {
    let Some(found) = table.get("preset") else { return Ok(()) };
    let preset: Preset = found.clone().try_into().map_err(|e: toml::de::Error| RecipeError::Value {
        origin: of("preset"),
        key: "preset".to_owned(),
        reason: e.message().replace('\n', " "),
    })?;
    let mut below: Table = preset.toml().parse().expect("presets are TOML: a test parses them");
    let set = table.get("data").and_then(|data| data.get("set")).and_then(Value::as_str);
    if set != Some(SetName::Sensors.as_str())
        && let Some(data) = below.get_mut("data").and_then(Value::as_table_mut)
    {
        data.remove("sensors");
    }
    // A network by name decides what its table says of layers.
    if table.get("network").is_some_and(|network| network.get("name").is_some_and(|n| n.as_str() != Some("custom")))
        && let Some(network) = below.get_mut("network").and_then(Value::as_table_mut)
    {
        network.retain(|key, _| !NAMED.contains(&key));
    }
    lay_under(table, below, "");
    Ok(())
}

/// An encoder of sensor data takes as many steps as the network has, unless the recipe says how many.
fn encode_steps(table: &mut Table) {
    let steps = table.get("network").and_then(|network| network.get("T")).cloned();
    let steps = steps.unwrap_or_else(|| {
        let default = i64::try_from(Recipe::default().network.steps).expect("a small number");
        Value::Integer(default)
    });
    let data = table.get_mut("data").and_then(Value::as_table_mut);
    let sensors = data.and_then(|data| data.get_mut("sensors")).and_then(Value::as_table_mut);
    let Some(encode) = sensors.and_then(|s| s.get_mut("encode")).and_then(Value::as_table_mut) else { return };
    let text = |key: &str| encode.get(key).and_then(Value::as_str);
    let same_at_every_step = match text("kind") {
        Some("direct") => encode.get("segments").and_then(Value::as_bool) != Some(true),
        Some("population") => text("output") == Some("values"),
        _ => false,
    };
    if !same_at_every_step && !encode.contains_key("steps") {
        encode.insert("steps".to_owned(), steps);
    }
}

pub(super) fn check(recipe: &Recipe) -> Result<(), RecipeError> {
    check_ranges(recipe, &|_| Origin::File { name: format!("{} with method {}", recipe.name, recipe.method), line: 0 })
}

/// A network by name has no layers of its own.
fn check_network(table: &Table, recipe: &Recipe, of: &impl Fn(&str) -> Origin) -> Result<(), RecipeError> {
    let name = recipe.network.name;
    let Some(Value::Table(network)) = table.get("network") else { return Ok(()) };
    let decided = NAMED.into_iter().find(|key| network.contains_key(*key));
    match decided {
        Some(key) if name != NetworkName::Custom => Err(RecipeError::Range {
            origin: of(&format!("network.{key}")),
            reason: format!(
                "network.{key} is set beside network.name = \"{name}\", which decides it; remove one of the two"
            ),
        }),
        _ => Ok(()),
    }
}

fn check_ranges(recipe: &Recipe, of: &impl Fn(&str) -> Origin) -> Result<(), RecipeError> {
    let (t, o, s, d, a) = (&recipe.train, &recipe.optim, &recipe.schedule, &recipe.distill, &recipe.augment);
    let finite = |v: f64, low: f64| v.is_finite() && v >= low;
    let rows: Vec<(&str, bool, String, &str)> = vec![
        ("train.epochs", (1..=100_000).contains(&t.epochs), t.epochs.to_string(), "1 to 100000"),
        ("train.min_steps", t.min_steps <= 1_000_000_000, t.min_steps.to_string(), "0 to 1000000000"),
        ("train.batch_size", (1..=65_536).contains(&t.batch_size), t.batch_size.to_string(), "1 to 65536"),
        (
            "train.eval_batch_size",
            (1..=65_536).contains(&t.eval_batch_size),
            t.eval_batch_size.to_string(),
            "1 to 65536",
        ),
        ("train.rate_weight", finite(t.rate_weight, 0.0), t.rate_weight.to_string(), "a finite number, at least 0"),
        ("optim.flip_rate", finite(o.flip_rate, 0.0) && o.flip_rate <= 1.0, o.flip_rate.to_string(), "0 to 1"),
        (
            "optim.flip_moment_rate",
            finite(o.flip_moment_rate, 0.0) && o.flip_moment_rate <= 1.0,
            o.flip_moment_rate.to_string(),
            "0 to 1",
        ),
        ("optim.flip_threshold", finite(o.flip_threshold, 0.0), o.flip_threshold.to_string(), "at least 0"),
        ("optim.freeze_above", finite(o.freeze_above, 0.0), o.freeze_above.to_string(), "at least 0"),
        ("train.label_smoothing", (0.0..=1.0).contains(&t.label_smoothing), t.label_smoothing.to_string(), "0 to 1"),
        ("train.ema", finite(t.ema, 0.0) && t.ema < 1.0, t.ema.to_string(), "0 to below 1 (0: no average)"),
        ("train.workers", t.workers <= 64, t.workers.to_string(), "0 to 64"),
        ("train.log_every", t.log_every >= 1, t.log_every.to_string(), "at least 1"),
        ("train.diagnose_every", t.diagnose_every >= 1, t.diagnose_every.to_string(), "at least 1"),
        ("optim.lr", finite(o.lr, 0.0) && o.lr > 0.0, o.lr.to_string(), "a finite number above 0"),
        ("optim.momentum", finite(o.momentum, 0.0) && o.momentum < 1.0, o.momentum.to_string(), "0 to below 1"),
        ("optim.weight_decay", finite(o.weight_decay, 0.0), o.weight_decay.to_string(), "a finite number, at least 0"),
        (
            "optim.clip_norm",
            finite(o.clip_norm, 0.0),
            o.clip_norm.to_string(),
            "a finite number, at least 0 (0: no limit)",
        ),
        ("optim.lr_binary_mult", finite(o.lr_binary_mult, 0.0), o.lr_binary_mult.to_string(), "at least 0"),
        ("optim.lr_alpha_mult", finite(o.lr_alpha_mult, 0.0), o.lr_alpha_mult.to_string(), "at least 0"),
        (
            "optim.betas",
            o.betas.iter().all(|&b| finite(b, 0.0) && b < 1.0),
            format!("{:?}", o.betas),
            "two numbers, each 0 to below 1",
        ),
        ("optim.epsilon", finite(o.epsilon, 0.0) && o.epsilon > 0.0, o.epsilon.to_string(), "above 0"),
        (
            "schedule.warmup_epochs",
            finite(s.warmup_epochs, 0.0) && s.warmup_epochs <= 100_000.0,
            s.warmup_epochs.to_string(),
            "0 to 100000",
        ),
        ("schedule.step_epochs", s.step_epochs >= 1, s.step_epochs.to_string(), "at least 1"),
        ("schedule.factor", finite(s.factor, 0.0), s.factor.to_string(), "a finite number, at least 0"),
        ("augment.nda", (0.0..=1.0).contains(&a.nda), a.nda.to_string(), "0 to 1"),
        ("augment.mixup", (0.0..=1.0).contains(&a.mixup), a.mixup.to_string(), "0 to 1"),
        ("augment.cutmix", (0.0..=1.0).contains(&a.cutmix), a.cutmix.to_string(), "0 to 1"),
        ("augment.mix_probability", (0.0..=1.0).contains(&a.mix_probability), a.mix_probability.to_string(), "0 to 1"),
        ("augment.event_mix", (0.0..=1.0).contains(&a.event_mix), a.event_mix.to_string(), "0 to 1"),
        (
            "augment.random_resized_crop",
            (0.0..=1.0).contains(&a.random_resized_crop),
            a.random_resized_crop.to_string(),
            "0 to 1",
        ),
        ("distill.weight", (0.0..=1.0).contains(&d.weight), d.weight.to_string(), "0 to 1"),
        (
            "distill.temperature",
            finite(d.temperature, 0.0) && d.temperature > 0.0,
            d.temperature.to_string(),
            "a finite number above 0",
        ),
        (
            "name",
            !recipe.name.is_empty() && !recipe.name.contains(['/', '\\']) && !recipe.name.starts_with('.'),
            format!("{:?}", recipe.name),
            "a name without slashes that does not start with a dot",
        ),
    ];
    for (key, ok, found, expected) in rows {
        if !ok {
            return Err(RecipeError::Range {
                origin: of(key),
                reason: format!("{key} is {found}; expected {expected}"),
            });
        }
    }
    let range = |key: &str, reason: String| Err(RecipeError::Range { origin: of(key), reason });
    for checked in [recipe.augment.signals.check(), recipe.data.validate()] {
        if let Err(e) = checked {
            let key = if let DataError::Config { key, .. } = e { key } else { "data" };
            return range(key, e.to_string());
        }
    }
    if let Some((key, reason)) = contradiction(recipe) {
        return range(key, reason);
    }
    // The largest usual image: sizes are checked again against the data, ranges and gate options here.
    match recipe.network_options().plan([3, 4096, 4096], 2) {
        Ok(_) => Ok(()),
        Err(e) => range(&e.key(), e.to_string()),
    }
}

/// A combination of keys and method that no training can mean, with its reason.
fn contradiction(recipe: &Recipe) -> Option<(&'static str, String)> {
    let (method, optim, set) = (recipe.method, recipe.optim_config(), recipe.data.set);
    if recipe.augment.event_mix > 0.0 && !set.is_events() {
        let reason = format!(
            "augment.event_mix is {} with data.set = \"{set}\": EventMix mixes frames of two event recordings in time and \
             place; use a set of events, or set it to 0",
            recipe.augment.event_mix
        );
        return Some(("augment.event_mix", reason));
    }
    let images = [("augment.mixup", recipe.augment.mixup), ("augment.cutmix", recipe.augment.cutmix)];
    if let Some((key, a)) = images.into_iter().find(|row| row.1 > 0.0 && set.is_events()) {
        let reason = format!(
            "{key} is {a} with data.set = \"{set}\": it mixes images and windows; set it to 0 (event frames have augment.event_mix)"
        );
        return Some((key, reason));
    }
    if recipe.augment.random_resized_crop > 0.0 && (set.is_events() || set == SetName::Sensors) {
        let reason = format!(
            "augment.random_resized_crop is {} with data.set = \"{set}\": only images are cropped and scaled; set it to 0 (event \
             frames have random_crop and roll)",
            recipe.augment.random_resized_crop
        );
        return Some(("augment.random_resized_crop", reason));
    }
    if optim.nesterov && (optim.kind != OptimizerKind::Sgd || optim.momentum == 0.0) {
        let reason = "optim.nesterov looks ahead along the momentum of SGD: it needs optim.kind = \"sgd\" and optim.momentum above \
                      0; or set it to false";
        return Some(("optim.nesterov", reason.to_owned()));
    }
    let rule = match optim.binary_rule {
        BinaryRule::Latent => return None,
        BinaryRule::Flip => "flip",
        BinaryRule::Online => "online",
    };
    let because = |reason: &str| format!("method {method} with optim.binary_rule = {rule:?}: {reason}");
    if recipe.method.gate(&recipe.agmm).is_some() {
        let reason = "the gate scales the gradient step of a latent weight, and this rule has neither; use method bsnn, \
                      bop, bso or t-bso, or binary_rule = \"latent\"";
        return Some(("optim.binary_rule", because(reason)));
    }
    if recipe.estimator() != Estimator::Ste {
        let reason = "an estimator works on latent weights, and this rule has none; set network.estimator = \"ste\"";
        return Some(("network.estimator", because(reason)));
    }
    if optim.freeze_above > 0.0 {
        let reason = "freezing acts on latent weights, and this rule has none; set optim.freeze_above = 0";
        return Some(("optim.freeze_above", because(reason)));
    }
    if optim.binary_rule != BinaryRule::Online {
        return None;
    }
    // Online training: a gradient of each time step by itself.
    let chain = match recipe.network.name {
        NetworkName::Custom => recipe.network.family == Family::Vgg,
        name => matches!(name, NetworkName::Vgg11 | NetworkName::VggSnn),
    };
    let rows = [
        ("network.family", !chain, "runs a chain step by step; set network.family = \"vgg\""),
        (
            "norm.kind",
            recipe.norm.kind != NormKind::Joint,
            "takes the statistics of one step; set norm.kind = \"joint\"",
        ),
        ("train.loss", recipe.train.loss != Loss::Tet, "has a loss at every time step; set train.loss = \"tet\""),
        ("train.rate_weight", recipe.rate_weight() > 0.0, "has no rate over all time steps; set train.rate_weight = 0"),
        (
            "distill.teacher",
            recipe.distill.teacher.is_some(),
            "has no output over all time steps; remove distill.teacher",
        ),
    ];
    rows.into_iter().find(|row| row.1).map(|(key, _, reason)| (key, because(&format!("online training {reason}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, `--set` pairs, parts of the message expected.
    type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

    /// Every key that is read, and no other.
    #[test]
    #[cfg(feature = "schema")]
    fn the_schema_has_every_key() {
        use serde_json::Value as Json;
        fn properties<'a>(root: &'a Json, of: &'a Json) -> BTreeMap<&'a str, &'a Json> {
            let target = |of: &'a Json| of.get("$ref").and_then(Json::as_str).map(|r| root.pointer(&r[1..]).unwrap());
            let of = target(of).unwrap_or(of);
            let found = of.get("properties").and_then(Json::as_object);
            found.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect()
        }
        let schema: Json = serde_json::from_str(&super::super::schema()).unwrap();
        let sorted = |mut keys: Vec<String>| {
            keys.sort();
            keys
        };
        let top = properties(&schema, &schema);
        assert_eq!(sorted(valid_keys("")), top.keys().map(|k| (*k).to_owned()).collect::<Vec<_>>());
        for (key, value) in &top {
            let keys = valid_keys(key);
            if !keys.is_empty() {
                let found: Vec<String> = properties(&schema, value).keys().map(|k| (*k).to_owned()).collect();
                assert_eq!(found, sorted(keys), "{key}");
            }
        }
        assert!(top["method"].to_string().contains("Method") && schema.to_string().contains("\"agmm\""));
    }

    #[test]
    fn errors_name_line_key_and_remedy() {
        let rows: &[Row] = &[
            ("seed = 1\n[optim]\nlearning_rate = 0.1\n", &[], &["r.toml:3", "\"optim.learning_rate\""]),
            ("[optim]\nmomentun = 0.9\n", &[], &["r.toml:2", "did you mean \"optim.momentum\"?"]),
            ("epochs = 3\n", &[], &["r.toml:1", "did you mean \"train.epochs\"?"]),
            ("[augment.signals]\nnoise = -1\n", &[], &["r.toml:2", "augment.signals.noise", "0 to 10"]),
            ("[agm]\npool = 'hw'\n", &[], &["r.toml:1", "did you mean \"agmm\"?"]),
            ("[optim]\nlr = 'fast'\n", &[], &["r.toml:2", "optim.lr", "string"]),
            ("[optim]\nlr = -1\n", &[], &["r.toml:2", "optim.lr is -1", "above 0"]),
            ("[agmm]\n\npool = 'wh'\n", &[], &["r.toml:3", "agmm.pool", "`hw`"]),
            ("method = 'amgg'\n", &[], &["r.toml:1", "method", "agmm"]),
            ("[network]\nlayers = '64-Q'\n", &[], &["r.toml:2", "network.layers", "part 2"]),
            ("[network]\nname = 'resnet-19'\n", &[], &["r.toml:2", "network.name", "did you mean \"resnet19\"?"]),
            ("[network]\nwidth = 0\n", &[], &["r.toml:2", "network.width is 0"]),
            ("[network]\nname = 'vgg11'\nwidth = 1e9\n", &[], &["r.toml:3", "network.width", "65536"]),
            ("[network]\nname = 'vgg11'\nlayers = '8-8'\n", &[], &["r.toml:3", "network.layers", "vgg11", "remove"]),
            ("[network]\nhead = 'flatten'\n", &["network.name=resnet20"], &["r.toml:2", "network.head", "resnet20"]),
            ("[network]\nname = 'spikformer'\npooling = 'spikes'\n", &[], &["r.toml:3", "network.pooling", "quarters"]),
            ("[network]\nT = 0\n", &[], &["r.toml:2", "network.T is 0"]),
            ("[agmm]\npool = 'const'\nalpha_inside = true\n", &[], &["agmm.alpha_inside", "const"]),
            ("[agmm]\nconstant = 1\n", &[], &["r.toml:2", "agmm.constant is 1", "between 0 and 1"]),
            ("[train]\nlabel_smoothing = 1.5\n", &[], &["r.toml:2", "train.label_smoothing is 1.5", "0 to 1"]),
            ("[schedule]\nwarmup_epochs = 1e300\n", &[], &["r.toml:2", "schedule.warmup_epochs", "0 to 100000"]),
            ("[optim]\nclip_norm = -1\n", &[], &["r.toml:2", "optim.clip_norm is -1", "at least 0"]),
            ("[optim]\nnesterov = true\nmomentum = 0\n", &[], &["r.toml:2", "optim.nesterov", "optim.momentum"]),
            ("[optim]\nnesterov = true\nkind = 'adamw'\n", &[], &["r.toml:2", "optim.nesterov", "\"sgd\""]),
            ("[train]\nema = 1\n", &[], &["r.toml:2", "train.ema is 1", "below 1"]),
            ("[norm]\ngamma_init = nan\n", &[], &["r.toml:2", "norm.gamma_init is NaN"]),
            ("[optim]\nbinary_rule = 'flip'\n", &[], &["r.toml:2", "method agmm", "gradient step"]),
            ("method = 't-bso'\n[norm]\nkind = 'bntt'\n", &[], &["r.toml:3", "norm.kind = \"joint\""]),
            ("method = 'bop'\n[network]\nestimator = 'ede'\n", &[], &["r.toml:3", "latent weights"]),
            ("method = 't-bso'\n[network]\nfamily = 'bi-real'\n", &[], &["r.toml:3", "\"vgg\""]),
            ("method = 't-bso'\n[train]\nloss = 'mean-output'\n", &[], &["r.toml:3", "\"tet\""]),
            ("[data]\ntrain_limit = 0\n", &[], &["r.toml", "data.train_limit"]),
            (
                "[data]\nset = 'n-mnist'\n[augment]\nrandom_resized_crop = 0.08\n",
                &[],
                &["r.toml:4", "augment.random_resized_crop is 0.08", "only images"],
            ),
            ("[augment]\ncutmix = 2\n", &[], &["r.toml:2", "augment.cutmix is 2", "0 to 1"]),
            ("[data]\nset = 'n-mnist'\n[augment]\nmixup = 0.2\n", &[], &["r.toml:4", "augment.mixup", "event_mix"]),
            ("[augment]\nrandom_resized_crop = 2\n", &[], &["r.toml:2", "augment.random_resized_crop is 2", "0 to 1"]),
            ("[data]\non_demand = true\n", &[], &["r.toml:2", "data.on_demand", "fashion-mnist-mini"]),
            ("[augment]\n\nevent_mix = 0.5\n", &[], &["r.toml:3", "augment.event_mix is 0.5", "fashion-mnist-mini"]),
            (
                "[data]\nset = 'events-demo'\n[augment]\nevent_mix = 1.5\n",
                &[],
                &["r.toml:4", "augment.event_mix is 1.5", "0 to 1"],
            ),
            ("[augment]\nnda = nan\n", &[], &["r.toml:2", "augment.nda is NaN"]),
            ("seed = 1\nseed = 2\n", &[], &["r.toml:2", "not valid TOML"]),
            ("", &["optim.lr"], &["--set optim.lr", "key=value"]),
            ("", &["optim.lrr=1"], &["--set optim.lrr=1", "did you mean \"optim.lr\"?"]),
            ("", &["optim.lr=x"], &["--set optim.lr=x", "optim.lr"]),
            ("", &["optim.lr.x=1"], &["--set optim.lr.x=1", "unknown key \"optim.lr.x\""]),
        ];
        let mut wrong = Vec::new();
        for (text, sets, parts) in rows {
            let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
            match parse(text, "r.toml", &sets) {
                Ok(_) => wrong.push(format!("{text:?} {sets:?}: accepted")),
                Err(e) => {
                    let message = e.to_string();
                    for part in *parts {
                        if !message.contains(part) {
                            wrong.push(format!("{text:?} {sets:?}: no {part:?} in {message:?}"));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_recipe_survives_writing_and_reading() {
        let recipe = parse(
            "name = 'x'\nmethod = 'agmm-hw'\n[data]\nset = 'cifar10'\npath = '/d'\n[neuron]\nwidth = 2.0\n",
            "r.toml",
            &["train.epochs=3".to_owned(), "network.layers=16-P-32".to_owned()],
        )
        .unwrap();
        assert_eq!((recipe.train.epochs, recipe.network.layers.to_string().as_str()), (3, "16-P-32"));
        assert_eq!(parse(&recipe.to_toml(), "again.toml", &[]).unwrap(), recipe);
        assert_eq!(parse("", "empty.toml", &[]).unwrap(), Recipe::default());
        let named = parse("[network]\nname = 'resnet19'\nwidth = 0.5\n", "r.toml", &[]).unwrap();
        let text = named.to_toml();
        assert!(!text.contains("layers") && text.contains("resnet19"), "{text}");
        assert_eq!(parse(&text, "again.toml", &[]).unwrap(), named);
    }

    #[test]
    fn event_sets_take_event_mix() {
        for set in ["events-demo", "n-mnist", "event-folder"] {
            let text = format!("[data]\nset = '{set}'\n[augment]\nevent_mix = 0.5\n");
            assert_eq!(parse(&text, "r.toml", &[]).unwrap().augment.event_mix, 0.5);
        }
    }

    /// The folder is asked for when it is read, so recipes can be looked at and passed on without one.
    #[test]
    fn a_recipe_without_its_folder_parses() {
        let recipe = parse("[data]\nset = 'event-folder'\n", "r.toml", &[]).unwrap();
        let error = recipe.load_data().unwrap_err().to_string();
        assert!(error.contains("data.path") && error.contains("--data-dir"), "{error}");
    }

    /// What a preset says stands where the recipe says nothing, and in no other place; the written recipe means the same.
    #[test]
    fn presets_lie_below_the_recipe() {
        let sets = [
            (Preset::Motion, "sensors"),
            (Preset::Audio, "sensors"),
            (Preset::Vibration, "sensors"),
            (Preset::Images, "fashion-mnist-mini"),
            (Preset::Events, "events-demo"),
        ];
        assert_eq!(sets.map(|row| row.0), Preset::ALL);
        let mut recipes = Vec::new();
        for (preset, set) in sets {
            let name = preset.as_str();
            let recipe = parse(&format!("preset = '{name}'\n[data]\nset = '{set}'\n"), "r.toml", &[]).unwrap();
            assert_eq!(recipe.preset, preset);
            assert_eq!(parse(&recipe.to_toml(), "again.toml", &[]).unwrap(), recipe, "{name}");
            // What it says is not what is said anyway, or it would have no place there.
            let none = if set == "sensors" { "sensors = {}" } else { "" };
            let plain = parse(&format!("[data]\nset = '{set}'\n{none}"), "r.toml", &[]).unwrap();
            assert_ne!(Recipe { preset: Preset::None, ..recipe.clone() }, plain, "{name}");
            recipes.push(recipe);
        }
        let text = "preset = 'audio'\n[data]\nset = 'sensors'\n[data.sensors]\nfeatures = { kind = 'raw' }\n\
                    [network]\nlayers = '8-16'\n";
        let recipe = parse(text, "r.toml", &["optim.lr=0.7".to_owned()]).unwrap();
        assert_eq!((recipe.network.layers.to_string().as_str(), recipe.optim.lr), ("8-16", 0.7));
        assert_eq!(recipe.train, recipes[1].train);
        assert!(format!("{:?}", recipe.data.sensors.unwrap().features).starts_with("Raw"));
        // Not even a table of sensors where there are none; a network by name keeps its layers.
        let recipe = parse("preset = 'audio'\n[network]\nname = 'resnet20'\n", "r.toml", &[]).unwrap();
        assert_eq!((recipe.data.sensors, recipe.network.name), (None, NetworkName::ResNet20));
        let error = parse("\npreset = 'sound'\n", "r.toml", &[]).unwrap_err().to_string();
        assert!(error.contains("r.toml:2") && error.contains("`audio`"), "{error}");
    }

    /// At least so many steps in the same number of epochs.
    #[test]
    fn small_sets_are_passed_over_more_often() {
        let train = parse("[train]\nepochs = 5\nmin_steps = 100\n", "r.toml", &[]).unwrap().train;
        assert_eq!([1, 10, 19, 20, 21, 1000].map(|batches| train.passes(batches)), [20, 2, 2, 1, 1, 1]);
    }

    #[test]
    fn encoders_take_the_steps_of_the_network() {
        let steps = |encode: &str, sets: &[&str]| {
            let text = format!(
                "[data]\nset = 'sensors'\n[data.sensors]\nlabels = {{ from = 'folder' }}\nwindow = {{ length = 8 }}\n\
                 split = {{ by = 'recording', test = ['a'] }}\nencode = {encode}\n[network]\nT = 6\n"
            );
            let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
            let recipe = parse(&text, "r.toml", &sets).unwrap();
            assert_eq!(parse(&recipe.to_toml(), "again.toml", &[]).unwrap(), recipe);
            recipe.data.sensors.unwrap().encode.steps()
        };
        assert_eq!(steps("{ kind = 'rate' }", &[]), 6);
        assert_eq!(steps("{ kind = 'latency' }", &["network.T=3"]), 3);
        assert_eq!(steps("{ kind = 'rate', steps = 5 }", &[]), 5, "said is said");
        assert_eq!(steps("{ kind = 'direct' }", &[]), 4, "every step is the same: the default stays");
    }

    proptest::proptest! {
        /// Whatever the text, a recipe or a typed error.
        #[test]
        fn damaged_text_never_panics(at in 0usize..400, byte in 0u8..128, cut in 0usize..400) {
            let mut text = Recipe::default().to_toml().into_bytes();
            let length = text.len();
            text[at % length] = byte;
            text.truncate(length - cut % length);
            if let Ok(text) = String::from_utf8(text) {
                let _ = parse(&text, "r.toml", &[]);
            }
        }

        #[test]
        fn any_set_pair_never_panics(key in "[a-z._=\\[\\]\"]{0,12}", value in ".{0,12}") {
            let _ = parse("", "r.toml", &[format!("{key}={value}")]);
        }
    }
}
