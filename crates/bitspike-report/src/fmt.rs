//! Numbers as people read them. Unicode here (−, ±, µ); [`ascii`] turns it into plain ASCII for terminals.

/// A fraction as per cent without the sign: 0.8781 → `87.81`.
pub(crate) fn percent(fraction: f64, decimals: usize) -> String {
    minus(format!("{:.decimals$}", fraction * 100.0))
}

/// A difference with its sign: 0.31 → `+0.31`. A value that rounds to zero is written `0.00`.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    if text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) { minus(text) } else { format!("{:.decimals$}", 0.0) }
}

/// The true minus sign instead of the hyphen.
fn minus(text: String) -> String {
    if let Some(rest) = text.strip_prefix('-') { format!("−{rest}") } else { text }
}

/// A number with the given count of significant digits, without exponent between 1e-4 and 1e7.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { "–".into() };
    }
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let exponent: i32 = rounded.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    if !(-4..7).contains(&exponent) {
        return minus(rounded.replace("e-", "e−"));
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    minus(format!("{value:.decimals$}"))
}

/// A p value with three decimals.
pub(crate) fn p(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(p) if p < 0.001 => "<0.001".into(),
        Some(p) => format!("{p:.3}"),
    }
}

/// Mean and standard deviation with the same decimals: the mean gets the given count of significant digits.
pub(crate) fn mean_std(mean: f64, std: f64, digits: usize) -> String {
    let text = significant(mean, digits);
    if text.contains('e') {
        return format!("{text} ± {}", significant(std, 2));
    }
    let decimals = text.split_once('.').map_or(0, |(_, after)| after.len());
    format!("{text} ± {std:.decimals$}")
}

/// Bytes in decimal units (1 MB = 10⁶ bytes), three significant digits.
pub(crate) fn bytes(count: u64) -> String {
    scaled(count as f64, &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")])
}

/// Picojoules in a fitting unit, three significant digits.
pub(crate) fn energy(picojoules: f64) -> String {
    scaled(picojoules, &[(1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ")])
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let smallest = units[units.len() - 1];
    let (unit, name) = units.iter().copied().find(|(unit, _)| value.abs() >= *unit).unwrap_or(smallest);
    format!("{} {name}", significant(value / unit, 3))
}

/// Seconds as `42 s`, `3 min 10 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".into();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{} s", significant(seconds, if seconds < 10.0 { 2 } else { 3 })),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Thousands set apart: 60000 → `60,000`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `one thing`, `2 things`.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    match n {
        1 => format!("one {noun}"),
        _ => format!("{n} {noun}s"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().into(),
        [head @ .., last] => {
            let head: Vec<&str> = head.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", head.join(", "), last.as_ref())
        }
    }
}

/// Plain ASCII: the few symbols used here become their usual stand-ins, anything else `?`.
pub(crate) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '−' | '–' => out.push('-'),
            '±' => out.push_str("+-"),
            'µ' | 'μ' => out.push('u'),
            '…' => out.push_str(".."),
            '·' | '×' => out.push('x'),
            'α' => out.push_str("alpha"),
            'γ' => out.push_str("gamma"),
            _ if character.is_ascii() => out.push(character),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (found, wanted) in [
            (percent(0.878_14, 2), "87.81"),
            (percent(-0.01, 1), "−1.0"),
            (signed(0.314, 2), "+0.31"),
            (signed(-0.314, 2), "−0.31"),
            (signed(-0.001, 2), "0.00"),
            (significant(0.001_234, 2), "0.0012"),
            (significant(12_345.6, 3), "12346"),
            (significant(9.999, 3), "10.0"),
            (significant(1e-7, 2), "1.0e−7"),
            (significant(0.0, 3), "0"),
            (significant(f64::NAN, 3), "–"),
            (mean_std(29.14, 0.2813, 3), "29.1 ± 0.3"),
            (mean_std(0.0123, 0.004, 2), "0.012 ± 0.004"),
            (p(Some(0.0312)), "0.031"),
            (p(Some(1e-9)), "<0.001"),
            (bytes(1_201_448), "1.20 MB"),
            (bytes(0), "0 B"),
            (energy(36_900_000.0), "36.9 µJ"),
            (energy(0.5), "0.500 pJ"),
            (duration(0.25), "0.25 s"),
            (duration(59.6), "1 min 0 s"),
            (duration(7_500.0), "2 h 5 min"),
            (count(60_000), "60,000"),
            (count(999), "999"),
            (plural(1, "run"), "one run"),
            (list(&["a", "b", "c"]), "a, b and c"),
            (ascii("1 ± 2 µJ − x"), "1 +- 2 uJ - x"),
        ] {
            assert_eq!(found, wanted);
        }
    }
}
