//! Who listens on a port. Linux says so in `/proc`, of processes that we may look into.

use std::fs;

/// TCP's state LISTEN, as `/proc/net/tcp` writes it.
const LISTEN: &str = "0A";

/// The program and its pid, as `nginx (pid 4711)`; none if it is not to be seen from here.
pub(super) fn of(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening(table, port))?;
    let link = format!("socket:[{inode}]");
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.into_iter().find(|pid| has_open(*pid, &link))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim_end()))
}

/// The inode of the socket that listens on `port`. See proc(5): the second field is address and port, in hexadecimal.
fn listening(table: &str, port: u16) -> Option<&str> {
    let end = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&end) && *fields.get(3)? == LISTEN;
        is_it.then_some(*fields.get(9)?)
    })
}

fn has_open(pid: u32, link: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = of(port).unwrap();
        assert!(holder.ends_with(&format!("(pid {})", std::process::id())), "{holder}");
        drop(listener);
        assert_eq!(of(port), None);
    }
}
