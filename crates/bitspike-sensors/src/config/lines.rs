//! A configuration as the fewest lines of TOML that mean it.

use super::SensorConfig;
use toml::{Table, Value};

impl SensorConfig {
    /// Lines of `[data.sensors]`, each a key: the format, and what the configuration would be another one without. `path` is not
    /// among them.
    ///
    /// ```
    /// use bitspike_sensors::SensorConfig;
    /// let text = "channels = [\"ax\"]\nformat = { kind = \"csv\", separator = \";\" }\n";
    /// let config: SensorConfig = toml::from_str(&format!("path = 'x'\nclasses = []\n{text}")).unwrap();
    /// assert_eq!(config.lines(), text);
    /// ```
    pub fn lines(&self) -> String {
        let own = Self { path: Default::default(), validation: 0, ..self.clone() };
        let mut table = Table::try_from(&own).expect("a configuration is plain tables, strings and numbers");
        let means = |table: &Table| table.clone().try_into::<Self>().is_ok_and(|config| config == own);
        for key in table.keys().cloned().collect::<Vec<_>>() {
            let without: Table =
                table.iter().filter(|(k, _)| **k != key).map(|(k, v)| (k.clone(), v.clone())).collect();
            if key != "format" && means(&without) {
                table = without;
                continue;
            }
            let Some(Value::Table(inner)) = table.get(&key) else { continue };
            for name in inner.keys().cloned().collect::<Vec<_>>() {
                let mut less = table.clone();
                if let Some(Value::Table(inner)) = less.get_mut(&key) {
                    inner.remove(&name);
                }
                if means(&less) {
                    table = less;
                }
            }
        }
        // In the order of the struct, which a table does not keep and text does.
        let text = toml::to_string(&own).unwrap_or_default();
        let place = |line: &str| text.find(&format!("\n{line}")).unwrap_or(text.len());
        let mut rows: Vec<(usize, String)> = Vec::new();
        for (key, value) in &table {
            let head = place(&format!("[{key}]"));
            rows.push(match value {
                Value::Table(inner) => {
                    let at = |name: &str| text[head..].find(&format!("\n{name} = ")).unwrap_or(text.len());
                    let mut inner: Vec<_> =
                        inner.iter().map(|(name, value)| (at(name), format!("{name} = {value}"))).collect();
                    inner.sort();
                    let inner: Vec<String> = inner.into_iter().map(|row| row.1).collect();
                    (head, format!("{key} = {{ {} }}\n", inner.join(", ")))
                }
                value => (place(&format!("{key} = ")), format!("{key} = {value}\n")),
            });
        }
        rows.sort();
        rows.into_iter().map(|row| row.1).collect()
    }
}
