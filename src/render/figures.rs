//! Numbers as people read them: about two significant digits, the unit always there.

/// A number in words: `1,234`, `1.2 million`, `34 billion`.
///
/// ```
/// # use shardwright::render::figures::count;
/// assert_eq!(count(999_999), "999,999");
/// assert_eq!(count(1_250_000), "1.3 million");
/// assert_eq!(count(45_600_000_000), "46 billion");
/// ```
pub fn count(number: u64) -> String {
    if number < 1_000_000 {
        return grouped(number);
    }
    scaled(number, 1_000_000, 1000, &["million", "billion", "trillion"])
}

/// `1 row`, `1.2 million rows`.
pub fn rows(number: u64) -> String {
    if number == 1 { "1 row".to_owned() } else { format!("{} rows", count(number)) }
}

/// A size in binary units: 1 KiB is 1024 B.
///
/// ```
/// # use shardwright::render::figures::bytes;
/// assert_eq!(bytes(1023), "1,023 B");
/// assert_eq!(bytes(3_650_722_202), "3.4 GiB");
/// assert_eq!(bytes(508_000_000), "484 MiB");
/// ```
pub fn bytes(number: u64) -> String {
    if number < 1024 {
        return format!("{} B", grouped(number));
    }
    scaled(number, 1024, 1024, &["KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// How a number compares with what it was before.
///
/// ```
/// # use shardwright::render::figures::times;
/// assert_eq!(times(10, 10), "same");
/// assert_eq!(times(10, 120), "12 × less");
/// assert_eq!(times(14, 10), "1.4 × more");
/// ```
pub fn times(new: u64, old: u64) -> String {
    let factor = |number: f64| if number < 10.0 { format!("{number:.1}") } else { format!("{number:.0}") };
    let (less, more) = (old as f64 / new.max(1) as f64, new as f64 / old.max(1) as f64);
    match (less, more) {
        _ if (less - 1.0).abs() < 0.05 || new == old => "same".to_owned(),
        (less, _) if less > 1.0 => format!("{} × less", factor(less)),
        (_, more) => format!("{} × more", factor(more)),
    }
}

/// A span of time by its two largest units, or by one where there are ten of it or more.
///
/// ```
/// # use shardwright::render::figures::duration;
/// assert_eq!(duration(59), "59 s");
/// assert_eq!(duration(130), "2 min 10 s");
/// assert_eq!(duration(1000), "17 min");
/// assert_eq!(duration(7200), "2 h");
/// assert_eq!(duration(187_200), "2 d 4 h");
/// ```
pub fn duration(seconds: u64) -> String {
    let (size, name, part, part_name) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => (60, "min", 1, "s"),
        3600..86_400 => (3600, "h", 60, "min"),
        _ => (86_400, "d", 3600, "h"),
    };
    if seconds >= 10 * size {
        return format!("{} {name}", rounded(seconds.into(), size.into()));
    }
    let parts = seconds % size / part;
    if parts == 0 {
        format!("{} {name}", seconds / size)
    } else {
        format!("{} {name} {parts} {part_name}", seconds / size)
    }
}

/// A span of time by its largest unit.
///
/// ```
/// # use shardwright::render::figures::roughly;
/// assert_eq!(roughly(59), "59 s");
/// assert_eq!(roughly(356), "6 min");
/// ```
pub fn roughly(seconds: u64) -> String {
    let (size, name) = match seconds {
        0..60 => (1, "s"),
        60..3600 => (60, "min"),
        3600..86_400 => (3600, "h"),
        _ => (86_400, "d"),
    };
    format!("{} {name}", rounded(seconds.into(), size))
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `number` in the largest unit of which it has at least one; one decimal below ten.
fn scaled(number: u64, first: u64, step: u64, units: &[&str]) -> String {
    let mut unit = 0;
    let mut size = u128::from(first);
    // What would be rounded up to a whole next unit is shown in that unit.
    while unit + 1 < units.len() && rounded(u128::from(number), size) >= u128::from(step) {
        size *= u128::from(step);
        unit += 1;
    }
    let tenths = rounded(u128::from(number) * 10, size);
    if tenths < 100 {
        format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
    } else {
        format!("{} {}", rounded(u128::from(number), size), units[unit])
    }
}

fn rounded(number: u128, size: u128) -> u128 {
    (number + size / 2) / size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_between_units() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_000_000), "1.0 million");
        assert_eq!(count(999_600_000), "1.0 billion");
        assert_eq!(count(9_960_000), "10 million");
        assert_eq!(count(u64::MAX), "18446744 trillion");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16384 PiB");
        assert_eq!(duration(0), "0 s");
        assert_eq!(duration(3600 + 59), "1 h");
        assert_eq!(duration(86_400 * 400), "400 d");
        assert_eq!(rows(1), "1 row");
    }
}
