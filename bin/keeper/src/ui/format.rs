//! Sizes, rates, times and shares as people read them: decimal units, as disks and networks are sold.

use std::time::Duration;

use hive_api::figures::unit_of;
pub(crate) use hive_api::figures::{duration, rate, rough_size};

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure of four digits for a person"
)]
fn in_unit(bytes: u64, unit: u64) -> String {
    match unit {
        1 | 1_000 => format!("{:.0}", bytes as f64 / unit as f64),
        _ => format!("{:.1}", bytes as f64 / unit as f64),
    }
}

/// `142.3 GB`.
pub(crate) fn size(bytes: u64) -> String {
    let (name, unit) = unit_of(bytes);
    format!("{} {name}", in_unit(bytes, unit))
}

/// `28.8 of 49.8 GB`, both in the unit of the whole; `28.8 GB` while the whole is unknown.
pub(crate) fn size_of_total(bytes: u64, total: Option<u64>) -> String {
    let Some(total) = total else {
        return size(bytes);
    };
    let (name, unit) = unit_of(total);
    format!(
        "{} of {} {name}",
        in_unit(bytes, unit),
        in_unit(total, unit)
    )
}

/// `60.1 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", share(part, whole) * 100.0)
}

/// `60 %`.
pub(crate) fn rough_percent(part: u64, whole: u64) -> String {
    // Rounded down: 100 % is said of what is whole only.
    format!("{:.0} %", (share(part, whole) * 100.0).floor())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure of four digits for a person"
)]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 1.0;
    }
    (part as f64 / whole as f64).min(1.0)
}

/// `14 s`, `16 min`: without tenths.
pub(crate) fn whole_duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => duration(Duration::from_secs(seconds)),
    }
}

/// `now`, `3 h`, `5 months`: how long ago.
pub(crate) fn age(seconds: u64) -> String {
    let plural = |count: u64, name: &str| {
        if count == 1 {
            format!("1 {name}")
        } else {
            format!("{count} {name}s")
        }
    };
    match seconds {
        0..60 => "now".to_owned(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400..5_184_000 => plural(seconds / 86_400, "day"),
        5_184_000..63_072_000 => plural(seconds / 2_592_000, "month"),
        _ => plural(seconds / 31_536_000, "year"),
    }
}

/// `1 file`, `3 files`.
pub(crate) fn count(number: u64, name: &str) -> String {
    if number == 1 {
        format!("1 {name}")
    } else {
        format!("{number} {name}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn sizes_are_decimal_with_one_digit_after_the_point_from_megabytes_on() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (15_300, "15 kB"),
            (999_960_000, "1.0 GB"),
            (1_500_000, "1.5 MB"),
            (142_300_000_000, "142.3 GB"),
            (3_200 * GB, "3.2 TB"),
            (u64::MAX, "18446744.1 TB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_part_is_said_in_the_unit_of_the_whole() {
        assert_eq!(
            size_of_total(28_800_000_000, Some(49_800_000_000)),
            "28.8 of 49.8 GB"
        );
        assert_eq!(size_of_total(5_000_000, Some(2 * GB)), "0.0 of 2.0 GB");
        assert_eq!(size_of_total(5_000_000, None), "5.0 MB");
    }

    #[test]
    fn whole_times_have_no_tenths() {
        assert_eq!(whole_duration(0), "0 s");
        assert_eq!(whole_duration(9), "9 s");
        assert_eq!(whole_duration(960), "16 min");
    }

    #[test]
    fn shares_never_exceed_the_whole() {
        assert_eq!(percent(855, 1_423), "60.1 %");
        assert_eq!(percent(2, 1), "100.0 %");
        assert_eq!(rough_percent(999, 1_000), "99 %");
        assert_eq!(rough_percent(0, 0), "100 %");
    }

    #[test]
    fn ages_are_said_in_one_unit() {
        let cases = [
            (5, "now"),
            (600, "10 min"),
            (7_200, "2 h"),
            (86_400, "1 day"),
            (150 * 86_400, "5 months"),
            (3 * 31_536_000, "3 years"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(seconds), text);
        }
    }
}
