//! One statement, one connection: cheap for client and server, and dropped it is gone.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No statement of the load takes this long, but one that hangs.
const ANSWER_MAX: Duration = Duration::from_mins(3);
/// How long servers wait for each other's connections: their default of 50 ms is too short for a busy machine.
const CONNECT_MS: u32 = 10_000;
/// More characters of an error tell nothing more.
const ERROR_CHARS_MAX: usize = 180;

/// How a statement failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// No connection, so that nothing was sent.
    NotSent(String),
    /// The server's own words, or a connection that broke, or no answer in time.
    Unknown(String),
}

impl Failed {
    /// One line, with numbers left out so that alike errors count as one.
    pub(crate) fn text(&self) -> String {
        let (Self::NotSent(text) | Self::Unknown(text)) = self;
        let text = text.split(", e.what()").next().unwrap_or(text);
        let mut line = String::new();
        for c in text.chars().take(ERROR_CHARS_MAX) {
            match c {
                '0'..='9' if line.ends_with('#') => {}
                '0'..='9' if !line.ends_with("Code: ") && !line.ends_with(|c: char| c.is_ascii_digit()) => {
                    line.push('#');
                }
                '\n' => line.push(' '),
                c => line.push(c),
            }
        }
        line
    }
}

/// Runs a statement, data and all, with settings as `name=value&…`.
pub(crate) async fn send(port: u16, settings: &str, body: &str) -> Result<String, Failed> {
    timeout(ANSWER_MAX, exchange(port, settings, body))
        .await
        .unwrap_or_else(|_| Err(Failed::Unknown("no answer".to_owned())))
}

async fn exchange(port: u16, settings: &str, body: &str) -> Result<String, Failed> {
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let mut stream = connected.map_err(|error| Failed::NotSent(error.to_string()))?;
    let lost = |error: std::io::Error| Failed::Unknown(error.to_string());
    stream.set_nodelay(true).map_err(lost)?;
    let head = format!(
        "POST /?wait_end_of_query=1&connect_timeout_with_failover_ms={CONNECT_MS}&{settings} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.map_err(lost)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(lost)?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        Some((_, body)) => Err(Failed::Unknown(body.trim_end().to_owned())),
        None => Err(Failed::Unknown("the connection was closed without an answer".to_owned())),
    }
}

#[test]
fn alike_errors_read_the_same() {
    let text = |text: &str| Failed::Unknown(text.to_owned()).text();
    let old = "Code: 60, e.displayText() = DB::Exception: part 202401_17_17_0 is gone, e.what() = DB::Exception";
    assert_eq!(text(old), "Code: 60, e.displayText() = DB::Exception: part #_#_#_# is gone");
    assert_eq!(text("Code: 252. DB::Exception: 301 parts\nin all"), "Code: 252. DB::Exception: # parts in all");
}
