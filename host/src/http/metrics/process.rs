//! The process's own memory and CPU time, as the conventional metrics want them.

/// `procfs` gives CPU time in ticks; Linux fixes their rate for user space on every architecture Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory in bytes; `None` where there is no `/proc`.
pub fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib * 1024.0)
}

/// User and system time in seconds; `None` where there is no `/proc`.
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name, which may hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_process_knows_its_memory_and_its_time() {
        assert!(super::resident_bytes().unwrap() > 1e6);
        assert!(super::cpu_seconds().unwrap() >= 0.0);
    }
}
