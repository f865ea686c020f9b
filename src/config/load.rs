//! Reading the config file and the password that it points to.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use super::{Config, ConfigError, PasswordSource};

/// A password; shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a config file or a password could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is refused.
    #[error("{}: {source}", path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ConfigError,
    },
    /// The variable named by `password_env` is not set, or not UTF-8.
    #[error("environment variable {0} (password_env) is not set")]
    Env(String),
}

impl Secret {
    /// The password, for the connection alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl LoadError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Config { source, .. } => source.hint(),
            Self::Read { .. } | Self::Env(_) => None,
        }
    }
}

/// Reads the config file at `path`.
pub fn read(path: &Path) -> Result<Config, LoadError> {
    let text = read_text(path)?;
    let mut config = Config::parse(&text).map_err(|source| LoadError::Config { path: path.to_owned(), source })?;
    if let (Some(PasswordSource::File(file)), Some(dir)) = (&mut config.password, path.parent()) {
        *file = dir.join(&file);
    }
    Ok(config)
}

/// The password of the config's user; none for a user without one.
pub fn password(config: &Config) -> Result<Option<Secret>, LoadError> {
    match &config.password {
        None => Ok(None),
        Some(PasswordSource::Env(name)) => {
            env::var(name).map(|text| Some(Secret(text))).map_err(|_| LoadError::Env(name.clone()))
        }
        Some(PasswordSource::File(path)) => {
            let text = read_text(path)?;
            Ok(Some(Secret(text.lines().next().unwrap_or_default().to_owned())))
        }
    }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(extra: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shardwright.toml");
        fs::write(&file, format!("cluster = 'main'\nendpoints = ['http://ch1']\n{extra}")).unwrap();
        (dir, file)
    }

    #[test]
    fn a_password_file_lies_beside_the_config_file() {
        let (dir, file) = written("password_file = 'secret'\n");
        fs::write(dir.path().join("secret"), "hunter2\n").unwrap();
        let secret = password(&read(&file).unwrap()).unwrap().unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn what_is_missing_is_named() {
        let (dir, file) = written("password_env = 'SHARDWRIGHT_NO_SUCH_VARIABLE'\n");
        let error = password(&read(&file).unwrap()).unwrap_err();
        assert!(error.to_string().contains("SHARDWRIGHT_NO_SUCH_VARIABLE"), "{error}");
        let error = read(&dir.path().join("other.toml")).unwrap_err();
        assert!(error.to_string().contains("other.toml"), "{error}");
    }

    #[test]
    fn a_refused_file_is_named_and_hinted() {
        let (_dir, file) = written("password = 'hunter2'\n");
        let error = read(&file).unwrap_err();
        assert!(error.to_string().contains("shardwright.toml: the key `password` is refused"), "{error}");
        assert!(error.hint().is_some());
    }
}
