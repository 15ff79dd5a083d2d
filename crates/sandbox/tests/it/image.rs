use registry_copy::{Layout, Registry as _};
use sandbox::image::{self, ImageSpec};

async fn write(directory: std::path::PathBuf, spec: ImageSpec) -> image::Made {
    image::write(&spec, &directory).await.unwrap()
}

fn spec(seed: u64) -> ImageSpec {
    ImageSpec { layers: vec![300_000, 10], ..ImageSpec::of_seed(seed) }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_image() {
    let directory = tempfile::tempdir().unwrap();
    let made = |name: &'static str, seed| write(directory.path().join(name), spec(seed));
    let (one, same, other) = (made("one", 1).await, made("same", 1).await, made("other", 2).await);
    assert_eq!(one, same);
    assert_ne!(one.image, other.image);
    let layout = Layout::open(directory.path().join("one")).await.unwrap();
    assert_eq!(layout.root(), one.image);
}

#[tokio::test]
async fn several_architectures_make_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let architectures = vec!["amd64".to_owned(), "arm64".to_owned()];
    let spec = ImageSpec { architectures, referrer: true, ..spec(3) };
    let made = image::write(&spec, directory.path()).await.unwrap();
    let layout = Layout::open(directory.path()).await.unwrap();
    let any = "forge/any".parse().unwrap();
    let index = layout.manifest(&any, &made.image).await.unwrap().unwrap();
    assert_eq!(index.children().len(), 2);
    for child in index.children() {
        let image = layout.manifest(&any, &child.digest).await.unwrap().unwrap();
        assert_eq!(image.blobs().len(), 3);
        assert_eq!(layout.missing(&any, image.blobs()).await.unwrap(), []);
    }
    let referrer = layout.manifest(&any, &made.referrer.unwrap()).await.unwrap().unwrap();
    assert_eq!(referrer.subject().unwrap().digest, made.image);
}
