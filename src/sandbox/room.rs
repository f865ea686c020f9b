//! Is there room on the disk? Asked beforehand: a server on a full disk fails in many ways, none of them plain.

use std::path::Path;

use super::SandboxError;

/// `needed_bytes` must be free for us on the file system of `dir`.
pub(super) fn ensure(dir: &Path, needed_bytes: u64) -> Result<(), SandboxError> {
    let stat =
        rustix::fs::statvfs(dir).map_err(|errno| SandboxError::io("looking at the disk of", dir)(errno.into()))?;
    let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free_bytes < needed_bytes {
        return Err(SandboxError::NoRoom { dir: dir.to_owned(), free_bytes, needed_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        ensure(dir.path(), 1).unwrap();
        let error = ensure(dir.path(), u64::MAX).unwrap_err();
        assert!(error.to_string().contains(" MB free, 18446744073709 MB needed"), "{error}");
    }
}
