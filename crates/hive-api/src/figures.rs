//! Sizes, rates and times as both programs show them to people: decimal units, and no more digits than are read.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// The name and the bytes of the largest unit of which there is at least one, when it is written with one decimal.
pub fn unit_of(bytes: u64) -> (&'static str, u64) {
    // Half a tenth below the unit already rounds up to it: 999.95 MB is 1.0 GB.
    unit_from(bytes, 20_000)
}

/// The first unit of which these bytes lack no more than its `part`th part.
fn unit_from(bytes: u64, part: u64) -> (&'static str, u64) {
    let fits = |(_, unit): &&(&str, u64)| bytes.saturating_add(unit / part) >= *unit;
    *UNITS.iter().find(fits).unwrap_or(&("B", 1))
}

/// `412 GB`, `6.1 MB`: for what changes all the time.
#[expect(
    clippy::cast_precision_loss,
    reason = "a figure of three digits for a person"
)]
pub fn rough_size(bytes: u64) -> String {
    // What would be a thousand of a unit is one of the next.
    let (name, unit) = unit_from(bytes, 2_000);
    let value = bytes as f64 / unit as f64;
    if value < 9.95 && unit > 1_000 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.0} {name}")
    }
}

/// `61 MB/s`, `1.9 GB/s`.
pub fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", rough_size(bytes_per_second))
}

/// `22 ms`, `0.2 s`, `31 s`, `27 min`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 100 => format!("{} ms", duration.as_millis()),
        0..10 if duration.subsec_millis() >= 50 || seconds == 0 => {
            format!("{:.1} s", duration.as_secs_f64())
        }
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, large_name: &str, small: u64, small_name: &str) -> String {
    if small == 0 {
        format!("{large} {large_name}")
    } else {
        format!("{large} {large_name} {small} {small_name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_free_space_are_rough() {
        for (bytes_per_second, text) in [
            (0, "0 B/s"),
            (999, "999 B/s"),
            (15_300, "15 kB/s"),
            (6_140_000, "6.1 MB/s"),
            (9_960_000, "10 MB/s"),
            (193_930_000, "194 MB/s"),
            (999_400_000, "999 MB/s"),
            (999_600_000, "1.0 GB/s"),
            (1_934_000_000, "1.9 GB/s"),
        ] {
            assert_eq!(rate(bytes_per_second), text);
        }
        assert_eq!(rough_size(412_300_000_000), "412 GB");
    }

    #[test]
    fn times_have_the_two_units_that_matter() {
        let cases = [
            (Duration::from_millis(230), "0.2 s"),
            (Duration::from_millis(22), "22 ms"),
            (Duration::from_millis(3_400), "3.4 s"),
            (Duration::from_secs(31), "31 s"),
            (Duration::from_secs(119), "119 s"),
            (Duration::from_secs(27 * 60 + 5), "27 min"),
            (Duration::from_mins(125), "2 h 5 min"),
            (Duration::from_hours(2), "2 h"),
            (Duration::from_hours(76), "3 d 4 h"),
        ];
        for (time, text) in cases {
            assert_eq!(duration(time), text);
        }
    }
}
