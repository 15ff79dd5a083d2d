use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use conveyor::{Error, release::Digest};
use tempfile::NamedTempFile;

/// A file that will hold a digest: whole, or as it was. That it can be written is known before anything is done.
#[derive(Debug)]
pub(crate) struct DigestFile {
    path: PathBuf,
    begun: NamedTempFile,
}

impl DigestFile {
    /// Begins the file next to its place.
    pub(crate) fn begin(path: &Path) -> Result<Self, Error> {
        let begun = begin(path).map_err(|source| Error::Unwritable { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), begun })
    }

    /// Writes the digest and puts the file in its place.
    pub(crate) fn finish(self, digest: &Digest) -> Result<(), Error> {
        let Self { path, mut begun } = self;
        let written = writeln!(begun, "{digest}");
        let persisted = written.and_then(|()| Ok(begun.persist(&path)?));
        persisted.map(drop).map_err(|source| Error::Unwritable { path, source })
    }
}

fn begin(path: &Path) -> io::Result<NamedTempFile> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "what is there is no ordinary file"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The process's mask is taken off, as from any file.
    tempfile::Builder::new().prefix(".digest-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}
