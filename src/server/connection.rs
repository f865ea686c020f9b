//! Where to connect, and as whom.

use std::fmt;

use thiserror::Error;

/// HTTP URL of one server, without credentials: `http://127.0.0.1:8123`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    url: String,
}

/// Why a text is not an [`Endpoint`]. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// The scheme is not `http`.
    #[error("not an http:// URL")]
    Scheme,
    /// No host, or spaces in it.
    #[error("no host in the URL")]
    Host,
    /// `user:password@` in the URL.
    #[error("credentials in the URL: name the user apart, and a variable or file that holds the password")]
    Credentials,
    /// Anything after `?` or `#`, which would be dropped without a word.
    #[error("parameters in the URL are not sent")]
    Parameters,
}

impl Endpoint {
    /// Reads a URL that a person wrote.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim().trim_end_matches('/');
        let rest = text.strip_prefix("http://").ok_or(EndpointError::Scheme)?;
        let authority = authority(text);
        if authority.contains('@') {
            return Err(EndpointError::Credentials);
        }
        if authority.is_empty() || authority.starts_with(':') || rest.contains(char::is_whitespace) {
            return Err(EndpointError::Host);
        }
        if rest.contains(['?', '#']) {
            return Err(EndpointError::Parameters);
        }
        Ok(Self { url: text.to_owned() })
    }

    /// The URL of `host` at an HTTP port; an IPv6 address is put in brackets.
    pub fn new(host: &str, port: u16) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let url = if bare.contains(':') { format!("http://[{bare}]:{port}") } else { format!("http://{bare}:{port}") };
        Self { url }
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// `host:port` of a URL.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// As whom to connect; the same for every server of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The user, or the server's default user.
    pub user: Option<String>,
    /// The password, if the user has one.
    pub password: Option<Secret>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_bare_http_url() {
        assert_eq!(Endpoint::parse(" http://ch1:8123/ ").unwrap().url(), "http://ch1:8123");
        assert_eq!(Endpoint::parse("https://ch1:8443"), Err(EndpointError::Scheme));
        assert_eq!(Endpoint::parse("http://:8123"), Err(EndpointError::Host));
        assert_eq!(Endpoint::parse("http://ch1:8123/?user=me"), Err(EndpointError::Parameters));
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = Endpoint::parse("http://me:hunter2@ch1:8123").unwrap_err();
        assert_eq!(error, EndpointError::Credentials);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn ipv6_hosts_are_bracketed_once() {
        assert_eq!(Endpoint::new("::1", 8123).url(), "http://[::1]:8123");
        assert_eq!(Endpoint::new("[::1]", 8123).url(), "http://[::1]:8123");
        assert_eq!(Endpoint::new("ch1", 8123).url(), "http://ch1:8123");
        assert_eq!(authority("http://[::1]:8123/path"), "[::1]:8123");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let connection = Connection { user: Some("me".into()), password: Some(Secret::new("hunter2")) };
        assert_eq!(format!("{connection:?}"), r#"Connection { user: Some("me"), password: Some(***) }"#);
    }
}
