//! One time of a column of times: a number in a unit, a date with a time of day, or a time of day.
//!
//! ```text
//! 2023-11-14T22:13:20.5Z   2023/11/14 22:13   14.11.2023 22:13:20,5   14-Nov-2023 10:13:20 PM   22:13:20:500
//! ```
//!
//! Whole seconds and the rest of one are kept apart, so that nanoseconds since 1970 lose nothing. Days are those of the
//! Gregorian calendar (Howard Hinnant's `days_from_civil`), an offset such as `+01:00` is taken off, leap seconds are read
//! as the second after. `14/11/2023` says not which number is the month; `date_order` does.

use crate::{DateOrder, TimeUnit};

/// Seconds since some origin, parted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stamp {
    whole: i64,
    /// From 0 to below 1.
    part: f64,
}

impl Stamp {
    pub(crate) fn whole_number(v: i64, per_second: i64) -> Self {
        Self { whole: v.div_euclid(per_second), part: v.rem_euclid(per_second) as f64 / per_second as f64 }
    }

    /// Seconds as one number.
    pub(crate) fn real(seconds: f64) -> Option<Self> {
        // Beyond this a second is no step of an f64.
        let whole = seconds.floor();
        (whole.abs() < 9e15).then_some(Self { whole: whole as i64, part: seconds - whole })
    }

    /// Seconds from `earlier` to this.
    pub(crate) fn since(self, earlier: Self) -> f64 {
        self.whole.saturating_sub(earlier.whole) as f64 + (self.part - earlier.part)
    }

    /// A number with a point for the decimal sign, in a unit; or a date, or a time of day.
    pub(crate) fn parse(number: &str, text: &str, unit: TimeUnit, order: DateOrder) -> Option<Self> {
        let per_second = unit.per_second();
        if let Ok(v) = number.parse::<i64>() {
            return Some(Self::whole_number(v, per_second as i64));
        }
        match number.parse::<f64>() {
            Ok(v) if v.is_finite() => Self::real(v / per_second),
            Ok(_) => None,
            Err(_) => date_and_time(text, order),
        }
    }
}

/// Whether a text looks like a date or a time of day, in whatever order.
pub(crate) fn is_date(text: &str) -> bool {
    text.parse::<f64>().is_err()
        && [DateOrder::Ymd, DateOrder::Dmy, DateOrder::Mdy].iter().any(|o| date_and_time(text, *o).is_some())
}

fn date_and_time(text: &str, order: DateOrder) -> Option<Stamp> {
    let text = text.trim();
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    // "T" between digits, or a blank, parts date and time; a date alone is midnight.
    let cut = text.char_indices().find(|&(i, c)| {
        (c == ' ' || c == ',' || c == '_')
            || (matches!(c, 'T' | 't') && text[..i].ends_with(|c: char| c.is_ascii_digit()))
    });
    let (first, rest) = cut.map_or((text, ""), |(i, _)| (&text[..i], text[i + 1..].trim_start()));
    match date(first, order) {
        Some(days) if rest.is_empty() => Some(Stamp { whole: days * 86_400, part: 0.0 }),
        Some(days) => {
            let time = time_of_day(rest)?;
            Some(Stamp { whole: time.whole + days * 86_400, ..time })
        }
        None => time_of_day(text),
    }
}

/// Days since 1970.
fn date(text: &str, order: DateOrder) -> Option<i64> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mark = text.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
    let parts: Vec<&str> = text.split(mark).collect();
    let &[a, b, c] = parts.as_slice() else { return None };
    let whole = |t: &str| (1..=4).contains(&t.len()).then(|| t.parse::<u16>().ok()).flatten().map(i64::from);
    let month = MONTHS.iter().position(|m| b.len() >= 3 && b[..3].eq_ignore_ascii_case(m)).map(|m| m as i64 + 1);
    let (year, month, day) = match (month, a.len(), order) {
        (Some(month), 4, _) => (whole(a)?, month, whole(c)?),
        (Some(month), ..) => (whole(c)?, month, whole(a)?),
        (None, 4, _) => (whole(a)?, whole(b)?, whole(c)?),
        (None, _, DateOrder::Mdy) => (whole(c)?, whole(a)?, whole(b)?),
        (None, _, DateOrder::Dmy) => (whole(c)?, whole(b)?, whole(a)?),
        (None, ..) if mark == '.' => (whole(c)?, whole(b)?, whole(a)?),
        _ => return None,
    };
    let year = if year < 100 { year + 2000 } else { year };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || !(1000..=9999).contains(&year) {
        return None;
    }
    // March is the first month, so that a leap day is the last of its year.
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.fff`, `HH:MM:SS,fff` or `HH:MM:SS:fff`, with AM or PM, and an offset from UTC.
fn time_of_day(text: &str) -> Option<Stamp> {
    let lower = text.trim().to_ascii_lowercase();
    let mut text = lower.trim_end_matches("utc").trim_end_matches("gmt").trim_end_matches('z').trim_end();
    let mut offset = 0;
    if let Some(at) = text.rfind(['+', '-']).filter(|at| *at > 0) {
        let digits: String = text[at + 1..].chars().filter(|c| *c != ':').collect();
        let v = digits.parse::<i64>().ok()?;
        let (hours, minutes) = if digits.len() > 2 { (v / 100, v % 100) } else { (v, 0) };
        if !matches!(digits.len(), 2 | 4) || hours > 15 || minutes > 59 {
            return None;
        }
        offset = (hours * 60 + minutes) * if text[at..].starts_with('-') { -60 } else { 60 };
        text = text[..at].trim_end();
    }
    let half = [("am", 0), ("pm", 12)].into_iter().find_map(|(end, h)| Some((text.strip_suffix(end)?.trim_end(), h)));
    let (text, half) = half.map_or((text, None), |(t, h)| (t, Some(h)));
    let parts: Vec<&str> = text.split(':').collect();
    let whole = |t: &str, most: i64| {
        let v = t.parse::<u8>().ok().map(i64::from).filter(|v| *v <= most && (1..=2).contains(&t.len()));
        v.filter(|_| !t.starts_with('+'))
    };
    let (h, m, s) = match parts.as_slice() {
        [h, m] => (h, m, "0".to_owned()),
        [h, m, s] => (h, m, s.replace(',', ".")),
        [h, m, s, part] => (h, m, format!("{s}.{part}")),
        _ => return None,
    };
    let (s, part) = s.split_once('.').unwrap_or((&s, "0"));
    if part.is_empty() || part.len() > 12 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (mut hour, minute, second) = (whole(h, 24)?, whole(m, 59)?, whole(s, 60)?);
    if let Some(later) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + later;
    }
    let part = format!("0.{part}").parse::<f64>().ok()?;
    Some(Stamp { whole: hour * 3600 + minute * 60 + second - offset, part })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(text: &str, order: DateOrder) -> Option<f64> {
        Stamp::parse(text, text, TimeUnit::S, order).map(|s| s.whole as f64 + s.part)
    }

    #[test]
    fn forms_of_dates() {
        // date -u -d '2023-11-14 22:13:20' +%s
        let want = 1_700_000_000.0;
        let rows = [
            ("2023-11-14 22:13:20", DateOrder::Ymd, want),
            ("2023-11-14T22:13:20Z", DateOrder::Ymd, want),
            ("2023-11-14T23:13:20.25+01:00", DateOrder::Ymd, want + 0.25),
            ("2023-11-14 16:43:20-0530", DateOrder::Ymd, want),
            ("2023/11/14 22:13:20.000500", DateOrder::Ymd, want + 0.0005),
            ("14.11.2023 22:13:20,5", DateOrder::Ymd, want + 0.5),
            ("14-Nov-2023 10:13:20 PM", DateOrder::Ymd, want),
            ("14/11/2023 22:13:20", DateOrder::Dmy, want),
            ("11/14/23 10:13:20 pm", DateOrder::Mdy, want),
            ("2023-11-14 22:13:20:500", DateOrder::Ymd, want + 0.5),
            ("2024-02-29", DateOrder::Ymd, 1_709_164_800.0),
            ("1969-12-31 23:59:59", DateOrder::Ymd, -1.0),
            ("22:13:20.5", DateOrder::Ymd, 80_000.5),
            ("12:00 am", DateOrder::Ymd, 0.0),
        ];
        for (text, order, want) in rows {
            assert_eq!(seconds(text, order), Some(want), "{text}");
        }
        for text in ["14/11/2023", "2023-13-01", "2023-02-29", "1:2:3:4:5", "25:00", "13:00 pm", "walk", "", "-", "1-2"]
        {
            assert_eq!(seconds(text, DateOrder::Ymd), None, "{text}");
        }
        assert!(is_date("14/11/2023 1:00") && !is_date("1700000000") && !is_date("walk"));
    }

    #[test]
    fn large_numbers_lose_nothing() {
        let at = |text| Stamp::parse(text, text, TimeUnit::Ns, DateOrder::Ymd).unwrap();
        assert!((at("1700000000000000003").since(at("1700000000000000001")) - 2e-9).abs() < 1e-15);
        assert_eq!(at("-1").since(at("-1000000001")), 1.0);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,40}", near in "[0-9:/.T +Zapm,-]{0,30}") {
            for order in [DateOrder::Ymd, DateOrder::Dmy, DateOrder::Mdy] {
                _ = (date_and_time(&text, order), date_and_time(&near, order));
            }
        }

        /// Days are counted one by one.
        #[test]
        fn days_follow_each_other(day in -300_000i64..2_000_000) {
            // The inverse, by search from a year that begins before it.
            let mut year = 1970 + day.div_euclid(366) - 3;
            while date(&format!("{:04}-01-01", year + 1), DateOrder::Ymd).is_some_and(|d| d <= day) { year += 1; }
            prop_assume!((1000..9999).contains(&year));
            let start = date(&format!("{year:04}-01-01"), DateOrder::Ymd).unwrap();
            let next = date(&format!("{:04}-01-01", year + 1), DateOrder::Ymd);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            if let Some(next) = next {
                prop_assert_eq!(next - start, 365 + i64::from(leap));
                prop_assert!((start..next).contains(&day));
            }
        }
    }
}
