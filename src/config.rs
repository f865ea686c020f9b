//! The config file, `shardwright.toml`: which cluster, where to begin, as whom.
//!
//! [`Config::parse`] is pure. Reading the file and the password is in [`mod@load`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fmt, str};

use serde::Deserialize;

pub mod load;
mod throttle;

pub use throttle::{Limit, Throttle};

const HTTP_PORT_DEFAULT: u16 = 8123;

/// A config file's content, valid in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The cluster's name in `remote_servers`.
    pub cluster: String,
    /// Servers to learn the cluster's shape from; never empty.
    pub endpoints: Vec<Endpoint>,
    /// Who to be; `default` if not given.
    pub user: String,
    /// Where that user's password is; none for a user without one.
    pub password: Option<PasswordSource>,
    /// HTTP ports of replicas by `host:native_port`, where they are not 8123.
    http_ports: BTreeMap<String, u16>,
    /// What the tool may do by itself.
    pub policy: Policy,
    /// Bounds on queries.
    pub timeouts: Timeouts,
    /// When a copy is held back.
    pub throttle: Throttle,
    /// May `dry-run` write to this cluster?
    pub sandbox: bool,
}

/// Where a password is; never the password itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// An environment variable's name.
    Env(String),
    /// A file whose first line is the password; relative to the config file's directory.
    File(PathBuf),
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// May the planner create and drop a scratch database, to let the server normalise definitions?
    pub scratch: bool,
}

/// `[timeouts]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Seconds for each introspection query, from 1.
    pub query_seconds: u64,
}

/// The HTTP interface of one server, written `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// Why a config file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, an unknown key, or a value of the wrong kind. The line itself is not repeated: it may hold a password.
    #[error("line {line}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// An endpoint that is not `http://host:port`.
    #[error("endpoint {number}: {why}")]
    Endpoint {
        /// Its place in the list, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A password in the file.
    #[error("the key `password` is refused: a config file is read by many, copied and committed")]
    Password,
    /// Two places for one password.
    #[error("`password_env` and `password_file` exclude each other")]
    TwoPasswords,
    /// `endpoints = []`
    #[error("`endpoints` is empty")]
    NoEndpoints,
    /// A key of `[http_ports]` that names no replica.
    #[error("[http_ports] {0:?} is not \"host:native_port\"")]
    HttpPortKey(String),
    /// A value of `[throttle]` with which nothing would ever be copied, or that is no question.
    #[error("[throttle] {0}")]
    Throttle(&'static str),
    /// `query_seconds = 0`
    #[error("[timeouts] query_seconds must be at least 1")]
    NoTime,
}

impl ConfigError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Password => {
                Some("name an environment variable with `password_env`, or a file of mode 600 with `password_file`")
            }
            Self::NoEndpoints => Some("endpoints = [\"http://127.0.0.1:8123\"]"),
            Self::HttpPortKey(_) => Some("use the host and port that system.clusters shows"),
            Self::Syntax { .. } | Self::Endpoint { .. } | Self::TwoPasswords | Self::NoTime | Self::Throttle(_) => None,
        }
    }

    fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        Self::Syntax { line: before.matches('\n').count() + 1, message: error.message().to_owned() }
    }
}

/// The file as serde sees it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    cluster: String,
    endpoints: Vec<String>,
    #[serde(default = "default_user")]
    user: String,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    http_ports: BTreeMap<String, u16>,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    timeouts: Timeouts,
    #[serde(default)]
    throttle: Throttle,
    #[serde(default)]
    sandbox: bool,
}

fn default_user() -> String {
    "default".to_owned()
}

impl Default for Policy {
    fn default() -> Self {
        Self { scratch: true }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { query_seconds: 10 }
    }
}

impl Config {
    /// Reads a config file's text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let table = text.parse::<toml::Table>().map_err(|error| ConfigError::syntax(text, &error))?;
        if table.contains_key("password") {
            return Err(ConfigError::Password);
        }
        let document: Document = toml::from_str(text).map_err(|error| ConfigError::syntax(text, &error))?;
        document.check()?;
        Ok(Self {
            endpoints: document.parse_endpoints()?,
            password: document.password_source()?,
            cluster: document.cluster,
            user: document.user,
            http_ports: document.http_ports,
            policy: document.policy,
            timeouts: document.timeouts,
            throttle: document.throttle,
            sandbox: document.sandbox,
        })
    }

    /// HTTP ports by `host:native_port`, where they are not 8123.
    pub fn http_ports(&self) -> &BTreeMap<String, u16> {
        &self.http_ports
    }
}

impl Document {
    fn check(&self) -> Result<(), ConfigError> {
        if self.endpoints.is_empty() {
            return Err(ConfigError::NoEndpoints);
        }
        if self.timeouts.query_seconds == 0 {
            return Err(ConfigError::NoTime);
        }
        self.throttle.check().map_err(ConfigError::Throttle)?;
        match self.http_ports.keys().find(|key| !is_address(key)) {
            Some(key) => Err(ConfigError::HttpPortKey(key.clone())),
            None => Ok(()),
        }
    }

    fn parse_endpoints(&self) -> Result<Vec<Endpoint>, ConfigError> {
        let numbered = self.endpoints.iter().zip(1..);
        numbered.map(|(text, number)| text.parse().map_err(|why| ConfigError::Endpoint { number, why })).collect()
    }

    fn password_source(&self) -> Result<Option<PasswordSource>, ConfigError> {
        match (&self.password_env, &self.password_file) {
            (Some(_), Some(_)) => Err(ConfigError::TwoPasswords),
            (Some(name), None) => Ok(Some(PasswordSource::Env(name.clone()))),
            (None, Some(path)) => Ok(Some(PasswordSource::File(path.clone()))),
            (None, None) => Ok(None),
        }
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

impl Endpoint {
    /// The server's HTTP interface at `host` and `port`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Name or address; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// HTTP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl str::FromStr for Endpoint {
    type Err = String;

    /// Never repeats the text: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").ok_or("an endpoint begins with http://")?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err("an endpoint carries no credentials: use `user` and `password_env` or `password_file`".into());
        }
        if authority.contains(['/', '?', '#']) || authority.contains(char::is_whitespace) {
            return Err("an endpoint is http://host:port and nothing more".into());
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() { Err("an endpoint names a host".into()) } else { Ok(Self::new(host, port)) }
    }
}

/// The colons of an IPv6 address are within its brackets.
fn split_port(authority: &str) -> Result<(&str, u16), String> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse().map_err(|_| "an endpoint's port is a number up to 65535")?;
            Ok((host, port))
        }
        _ => Ok((authority, HTTP_PORT_DEFAULT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "cluster = 'main'\nendpoints = ['http://ch1:8121']\n";

    fn with(extra: &str) -> Result<Config, ConfigError> {
        Config::parse(&format!("{MINIMAL}{extra}"))
    }

    #[test]
    fn what_is_not_said_has_defaults() {
        let config = Config::parse(MINIMAL).unwrap();
        assert_eq!(config.user, "default");
        assert_eq!(config.password, None);
        assert!(config.policy.scratch && !config.sandbox);
        assert_eq!(config.timeouts.query_seconds, 10);
        assert_eq!(config.http_ports().get("ch1:9000"), None);
    }

    #[test]
    fn every_key_is_read() {
        let config = with(
            "user = 'ddl'\npassword_env = 'CH_PASSWORD'\nsandbox = true\n\
             [http_ports]\n'ch1:9001' = 8121\n[policy]\nscratch = false\n[timeouts]\nquery_seconds = 3\n",
        )
        .unwrap();
        assert_eq!(config.user, "ddl");
        assert_eq!(config.password, Some(PasswordSource::Env("CH_PASSWORD".to_owned())));
        assert_eq!(config.http_ports().get("ch1:9001"), Some(&8121));
        assert!(!config.policy.scratch && config.sandbox);
        assert_eq!(config.timeouts.query_seconds, 3);
    }

    #[test]
    fn an_unknown_key_is_shown_where_it_stands() {
        let error = with("clutser = 'x'\n").unwrap_err().to_string();
        assert!(error.starts_with("line 3: unknown field `clutser`, expected one of"), "{error}");
        assert!(with("[policy]\nscrach = true\n").unwrap_err().to_string().contains("expected `scratch`"));
    }

    #[test]
    fn a_password_is_refused_with_what_to_do() {
        let error = with("password = 'hunter2'\n").unwrap_err();
        assert!(matches!(error, ConfigError::Password));
        assert!(!error.to_string().contains("hunter2"));
        assert!(error.hint().unwrap().contains("password_env"));
        assert!(matches!(with("password_env = 'A'\npassword_file = 'b'\n"), Err(ConfigError::TwoPasswords)));
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let none = "cluster = 'main'\nendpoints = []\n";
        assert!(matches!(Config::parse(none), Err(ConfigError::NoEndpoints)));
        assert!(matches!(with("[timeouts]\nquery_seconds = 0\n"), Err(ConfigError::NoTime)));
        assert!(matches!(with("[http_ports]\nch1 = 8121\n"), Err(ConfigError::HttpPortKey(key)) if key == "ch1"));
    }

    #[test]
    fn endpoints_are_host_and_port() {
        let written = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        assert_eq!(written("http://127.0.0.1:8121/"), Ok("http://127.0.0.1:8121".to_owned()));
        assert_eq!(written("http://ch1"), Ok("http://ch1:8123".to_owned()));
        assert_eq!(written("http://[::1]:8121"), Ok("http://[::1]:8121".to_owned()));
        assert_eq!(written("http://[::1]"), Ok("http://[::1]:8123".to_owned()));
        for wrong in
            ["https://ch1:8443", "ch1:8123", "http://", "http://ch1:99999", "http://ch1/db", "http://ch1?user=a"]
        {
            assert!(written(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        let endpoint = Config::parse("cluster = 'a'\nendpoints = ['http://ch1', 'http://me:hunter2@ch2']\n");
        let error = endpoint.unwrap_err().to_string();
        assert!(error.starts_with("endpoint 2: an endpoint carries no credentials"), "{error}");
        let unquoted = with("password = hunter2\n").unwrap_err().to_string();
        let misspelt = with("pasword = 'hunter2'\n").unwrap_err().to_string();
        assert!([error, unquoted, misspelt].iter().all(|error| !error.contains("hunter2")));
    }
}
