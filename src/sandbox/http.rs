//! Just enough HTTP to ask a sandbox's server: one request a connection, to loopback, with a time-out.
//!
//! The `clickhouse` crate belongs to `server/`; a ready check wants no more than this.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A bound on answers; a ready check reads a few hundred bytes, a test a few megabytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// `GET /ping`; true if the server says that it serves.
pub(super) async fn ping(port: u16, limit: Duration) -> bool {
    let request = "GET /ping HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
    matches!(exchange(port, request, limit).await.as_deref().map(split), Ok(Some((200, "Ok.\n"))))
}

/// Runs one statement with `settings` (`name=value&…`); the answer's body, or the server's error text.
pub(super) async fn query(port: u16, settings: &str, sql: &str, limit: Duration) -> Result<String, String> {
    let length = sql.len();
    let request = format!(
        "POST /?wait_end_of_query=1&{settings} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{sql}"
    );
    let answer = exchange(port, &request, limit).await.map_err(|error| error.to_string())?;
    match split(&answer) {
        Some((200, body)) => Ok(body.to_owned()),
        Some((_, body)) => Err(body.trim_end().to_owned()),
        None => Err(format!("not an HTTP answer: {answer:?}")),
    }
}

/// Sends `request` as it is and reads until the other side closes; also speaks ZooKeeper's four-letter words.
pub(super) async fn exchange(port: u16, request: &str, limit: Duration) -> io::Result<String> {
    let talk = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(limit, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Status and body of an HTTP/1 answer.
fn split(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_status_and_body() {
        assert_eq!(split("HTTP/1.0 200 OK\r\nA: b\r\n\r\n1\n\r\n\r\n2"), Some((200, "1\n\r\n\r\n2")));
        assert_eq!(split("HTTP/1.1 404 Not Found\r\n\r\nCode: 60"), Some((404, "Code: 60")));
        assert_eq!(split("Mode: standalone"), None);
    }
}
