//! The files of a docker-registry (distribution 2.8), so that a registry can be given any state at once, and what a tool
//! left there can be held against the image without asking the registry.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use sandbox::release::Digest;

use super::image::Image;

/// The repository and the tag of every image that is copied.
const REPOSITORY: &str = "bench/image";
const TAG: &str = "1";

/// Everything that one registry holds.
pub(super) struct Store {
    root: PathBuf,
}

/// How much of an image is there before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    /// All but the largest layer, and what that is a part of.
    AllButOneLayer,
    Everything,
}

impl fmt::Display for There {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "cold",
            Self::AllButOneLayer => "minus",
            Self::Everything => "warm",
        })
    }
}

/// A registry that does not hold what was copied to it.
#[derive(Debug, thiserror::Error)]
#[error("{tool} said that it had copied, and {what} is not there", what = path.display())]
pub(super) struct NotThere {
    tool: &'static str,
    path: PathBuf,
}

impl Store {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.join("docker/registry/v2") }
    }

    /// The reference of the image in a registry at this authority.
    pub(super) fn reference(authority: impl fmt::Display) -> String {
        format!("{authority}/{REPOSITORY}:{TAG}")
    }

    /// Forgets all that is there, and puts this much of an image there.
    pub(super) fn reset(&self, image: &Image, there: There) -> io::Result<()> {
        if self.root.exists() {
            fs::remove_dir_all(&self.root)?;
        }
        let mut missing: Vec<Digest> = match there {
            There::Nothing => return Ok(()),
            There::AllButOneLayer => image.a_layer().into_iter().collect(),
            There::Everything => Vec::new(),
        };
        for digest in image.others.keys().filter(|digest| !missing.contains(digest)) {
            self.put_blob(image, digest)?;
        }
        for (digest, parts) in &image.manifests {
            if parts.iter().any(|part| missing.contains(part)) {
                missing.push(*digest);
            } else {
                self.put_manifest(image, digest)?;
            }
        }
        if there == There::Everything {
            self.put_tag(TAG, &image.digest)?;
            if let Some(referrer) = &image.referrer {
                self.put_manifest(image, &referrer.manifest)?;
                self.put_manifest(image, &referrer.list)?;
                self.put_tag(&list_tag(&image.digest), &referrer.list)?;
            }
        }
        Ok(())
    }

    /// Whether the tag names the image and every part is there, with its size.
    pub(super) fn holds(&self, image: &Image, referrer: bool, tool: &'static str) -> Result<(), NotThere> {
        let there = |path: PathBuf, holds: bool| if holds { Ok(()) } else { Err(NotThere { tool, path }) };
        let mut blobs: Vec<(Digest, PathBuf)> = image.others.keys().map(|digest| (*digest, layer(digest))).collect();
        blobs.extend(image.manifests.iter().map(|(digest, _)| (*digest, revision(digest))));
        if let Some(part) = image.referrer.as_ref().filter(|_| referrer) {
            blobs.push((part.manifest, revision(&part.manifest)));
            blobs.extend(part.parts.iter().map(|digest| (*digest, layer(digest))));
        }
        for (digest, link) in blobs {
            let link = self.repository().join(link).join("link");
            there(link.clone(), link.exists())?;
            let data = self.data(&digest);
            let size = |path: &Path| fs::metadata(path).map(|file| file.len()).ok();
            there(data.clone(), size(&data).is_some() && size(&data) == size(&image.blob(&digest)))?;
        }
        let tag = self.repository().join("_manifests/tags").join(TAG).join("current/link");
        there(tag.clone(), fs::read_to_string(tag).is_ok_and(|named| named == image.digest.to_string()))
    }

    fn put_blob(&self, image: &Image, digest: &Digest) -> io::Result<()> {
        self.link_data(image, digest)?;
        self.link(&layer(digest), digest)
    }

    fn put_manifest(&self, image: &Image, digest: &Digest) -> io::Result<()> {
        if let Some(referrer) = image.referrer.as_ref().filter(|referrer| referrer.manifest == *digest) {
            referrer.parts.iter().try_for_each(|part| self.put_blob(image, part))?;
        }
        self.link_data(image, digest)?;
        self.link(&revision(digest), digest)
    }

    fn put_tag(&self, tag: &str, digest: &Digest) -> io::Result<()> {
        let tag = Path::new("_manifests/tags").join(tag);
        self.link(&tag.join("index/sha256").join(digest.hex()), digest)?;
        self.link(&tag.join("current"), digest)
    }

    /// The registry never writes into a blob, so that two names for one file are enough.
    fn link_data(&self, image: &Image, digest: &Digest) -> io::Result<()> {
        let data = self.data(digest);
        if let Some(directory) = data.parent() {
            fs::create_dir_all(directory)?;
        }
        match fs::hard_link(image.blob(digest), data) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn link(&self, path: &Path, digest: &Digest) -> io::Result<()> {
        let directory = self.repository().join(path);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("link"), digest.to_string())
    }

    fn repository(&self) -> PathBuf {
        self.root.join("repositories").join(REPOSITORY)
    }

    fn data(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join("blobs/sha256").join(hex.get(..2).unwrap_or_default()).join(hex).join("data")
    }
}

fn layer(digest: &Digest) -> PathBuf {
    Path::new("_layers/sha256").join(digest.hex())
}

fn revision(digest: &Digest) -> PathBuf {
    Path::new("_manifests/revisions/sha256").join(digest.hex())
}

/// The tag of the list of what refers to an image (distribution-spec 1.1, "Referrers Tag Schema").
fn list_tag(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}

#[cfg(test)]
mod tests {
    use sandbox::image::ImageSpec;

    use super::*;

    #[test]
    fn only_a_whole_image_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let architectures = vec!["amd64".to_owned(), "arm64".to_owned()];
        let spec = ImageSpec { layers: vec![900, 20], architectures, referrer: true, ..ImageSpec::of_seed(1) };
        let image = Image::random(&spec, &directory.path().join("layout")).unwrap();
        let store = Store::new(directory.path());
        let held = |referrer| store.holds(&image, referrer, "nobody").is_ok();
        store.reset(&image, There::Everything).unwrap();
        assert!(held(false) && held(true));
        let layer = image.a_layer().unwrap();
        fs::remove_file(store.repository().join(layer_link(&layer))).unwrap();
        assert!(!held(false), "a layer that the repository does not know");

        store.reset(&image, There::AllButOneLayer).unwrap();
        assert!(!held(false) && !store.data(&layer).exists());
        let manifests = image.manifests.iter().filter(|(digest, _)| store.data(digest).exists());
        assert_eq!(manifests.count(), 1, "of two images and their index, the one that lacks nothing");
        store.reset(&image, There::Nothing).unwrap();
        assert!(!held(false) && !store.root.exists());
    }

    fn layer_link(digest: &Digest) -> PathBuf {
        layer(digest).join("link")
    }
}
