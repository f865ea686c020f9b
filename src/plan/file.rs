//! The plan as a file: canonical JSON with a hash of itself. The same plan is always the same bytes.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{FORMAT_VERSION, Plan};

const HASH_KEY: &str = "sha256";

/// A plan as it was read from or will be written to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The plan.
    pub plan: Plan,
    /// SHA-256 of its canonical JSON, in hex.
    pub sha256: String,
}

/// Why a text is not a plan that may be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Not JSON at all.
    #[error("the plan is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but no plan.
    #[error("this is not a plan file: {0}")]
    NotAPlan(String),
    /// A plan of another version of the tool.
    #[error("the plan has format version {0}; this build reads version {FORMAT_VERSION}")]
    OtherVersion(u64),
    /// The content does not fit its hash.
    #[error("the plan was edited after it was made: it says SHA-256 {stated}, its content has {actual}")]
    Edited {
        /// The hash in the file.
        stated: String,
        /// The hash of the content.
        actual: String,
    },
    /// The plan could not be written as JSON.
    #[error("the plan cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

/// The plan's file, ready to be written, and its hash.
pub fn write(plan: &Plan) -> Result<(String, String), PlanFileError> {
    let mut content = match serde_json::to_value(plan).map_err(PlanFileError::Unwritable)? {
        Value::Object(content) => content,
        _ => Map::new(),
    };
    let sha256 = hash(&content)?;
    content.insert(HASH_KEY.to_owned(), Value::String(sha256.clone()));
    Ok((canonical(&content)?, sha256))
}

/// Reads a plan's file. A plan that was edited by hand is refused: what was reviewed is what is carried out.
pub fn read(text: &str) -> Result<Sealed, PlanFileError> {
    let value: Value = serde_json::from_str(text).map_err(PlanFileError::NotJson)?;
    let Value::Object(mut content) = value else {
        return Err(PlanFileError::NotAPlan("it is not a JSON object".to_owned()));
    };
    match content.get("format_version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(FORMAT_VERSION) => {}
        Some(version) => return Err(PlanFileError::OtherVersion(version)),
        None => return Err(PlanFileError::NotAPlan("it has no format_version".to_owned())),
    }
    let Some(Value::String(stated)) = content.remove(HASH_KEY) else {
        return Err(PlanFileError::NotAPlan(format!("it has no {HASH_KEY}")));
    };
    let actual = hash(&content)?;
    if actual != stated {
        return Err(PlanFileError::Edited { stated, actual });
    }
    let plan =
        serde_json::from_value(Value::Object(content)).map_err(|error| PlanFileError::NotAPlan(error.to_string()))?;
    Ok(Sealed { plan, sha256: actual })
}

fn hash(content: &Map<String, Value>) -> Result<String, PlanFileError> {
    Ok(hex::encode(Sha256::digest(canonical(content)?.as_bytes())))
}

/// Sorted keys (a `serde_json` map is sorted), two spaces of indentation, a line's end at the end: fit for a diff.
fn canonical(content: &Map<String, Value>) -> Result<String, PlanFileError> {
    let mut text = serde_json::to_string_pretty(content).map_err(PlanFileError::Unwritable)?;
    text.push('\n');
    Ok(text)
}
