use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use release::{Digest, Repository};

use crate::{
    CopyError, Descriptor, GraphError, Manifest, Registry, RegistryError,
    checked::checked,
    side::expect,
    walk::{MAX_BYTES, MAX_DEPTH, MAX_NODES},
};

/// How many calls are under way at once.
const JOBS: usize = 8;

/// Proves that an image or index is there as a whole, by reading and hashing every manifest and every blob of it.
///
/// Foreign layers and referrers do not count. It reads as many bytes as the image has and knows no deadline.
///
/// # Errors
/// [`CopyError::Source`] with the first thing that is absent, wrong or cannot be read.
pub async fn verify(registry: &dyn Registry, repository: &Repository, digest: &Digest) -> Result<(), CopyError> {
    let reader = Reader { registry, repository };
    let mut seen = BTreeSet::new();
    let mut blobs = Vec::new();
    let mut level = vec![(*digest, None)];
    let mut bytes = 0_u64;
    for depth in 0.. {
        level.retain(|(digest, _)| seen.insert(*digest));
        if level.is_empty() {
            break;
        }
        if depth == MAX_DEPTH {
            return Err(GraphError::TooDeep.into());
        }
        bytes = level.iter().filter_map(|(_, size)| *size).fold(bytes, u64::saturating_add);
        if bytes > MAX_BYTES {
            return Err(GraphError::TooLarge.into());
        }
        let reads = stream::iter(level).map(|(digest, size)| reader.manifest(digest, size)).buffered(JOBS);
        let manifests: Vec<Manifest> = reads.try_collect().await?;
        let own = manifests.iter().flat_map(Manifest::blobs).filter(|blob| !blob.is_foreign());
        blobs.extend(own.filter(|blob| seen.insert(blob.digest)).cloned());
        if seen.len() > MAX_NODES {
            return Err(GraphError::TooMany.into());
        }
        let children = manifests.iter().flat_map(Manifest::children);
        level = children.map(|child| (child.digest, Some(child.size))).collect();
    }
    let reads = stream::iter(blobs).map(|blob| reader.blob(blob)).buffer_unordered(JOBS);
    reads.try_collect().await.map_err(CopyError::Source)
}

struct Reader<'a> {
    registry: &'a dyn Registry,
    repository: &'a Repository,
}

impl Reader<'_> {
    async fn manifest(&self, digest: Digest, described: Option<u64>) -> Result<Manifest, CopyError> {
        let found = self.registry.manifest(self.repository, &digest).await.map_err(CopyError::Source)?;
        let absent = RegistryError::NoManifest { repository: self.repository.clone(), digest };
        let manifest = expect(found.ok_or(CopyError::Source(absent))?, digest).map_err(CopyError::Source)?;
        match described {
            Some(size) if size != manifest.bytes().len() as u64 => Err(GraphError::TwoSizes(digest).into()),
            _ => Ok(manifest),
        }
    }

    async fn blob(&self, blob: Descriptor) -> Result<(), RegistryError> {
        let mut chunks = checked(&blob, self.registry.blob(self.repository, &blob).await?);
        while chunks.try_next().await?.is_some() {}
        Ok(())
    }
}
