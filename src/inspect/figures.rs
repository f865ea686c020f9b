//! Numbers for people.

pub(super) fn count(number: u64) -> String {
    if number >= 1_000_000 {
        return scaled(number, 1_000_000, 1000, &["million", "billion", "trillion"]);
    }
    match number {
        1000.. => format!("{},{:03}", number / 1000, number % 1000),
        _ => number.to_string(),
    }
}

pub(super) fn bytes(number: u64) -> String {
    if number < 1024 { format!("{number} B") } else { scaled(number, 1024, 1024, &["KiB", "MiB", "GiB", "TiB", "PiB"]) }
}

fn scaled(number: u64, first: u64, step: u64, units: &[&str]) -> String {
    let mut value = number as f64 / first as f64;
    let mut units = units.iter();
    let mut unit = units.next().unwrap_or(&"");
    for larger in units {
        if value < step as f64 {
            break;
        }
        value /= step as f64;
        unit = larger;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}
