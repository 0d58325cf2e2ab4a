//! Writes the time of day as RFC 3339 in UTC, without a calendar library.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present time as RFC 3339 UTC, whole seconds: `2026-05-01T12:30:00Z`.
pub fn utc_now() -> String {
    rfc3339_utc(unix_seconds(SystemTime::now()).floor() as i64)
}

/// Writes seconds since 1970-01-01T00:00:00Z as RFC 3339 UTC.
///
/// Days to date: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`. The year starts on
/// 1 March there, so that the leap day is its last day. Years from 0 to 9999 are written with four digits.
///
/// ```
/// assert_eq!(bitspike_run::rfc3339_utc(0), "1970-01-01T00:00:00Z");
/// assert_eq!(bitspike_run::rfc3339_utc(951_782_400), "2000-02-29T00:00:00Z");
/// ```
pub fn rfc3339_utc(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468; // days since 0000-03-01
    let era = z.div_euclid(146_097); // 400 years
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // 0 = March
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970 with fraction; 0 for a clock set before 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    // date -u -d @N +%FT%TZ
    #[test]
    fn dates_agree_with_gnu_date() {
        for (seconds, text) in [
            (-1, "1969-12-31T23:59:59Z"),
            (1, "1970-01-01T00:00:01Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(rfc3339_utc(seconds), text);
        }
    }

    #[test]
    fn the_present_is_written_in_the_same_form() {
        let text = utc_now();
        assert_eq!(text.len(), "2026-05-01T12:30:00Z".len());
        assert!(text.as_str() > "2025-01-01T00:00:00Z" && text.ends_with('Z'), "{text}");
    }
}
