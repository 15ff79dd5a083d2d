//! The manifest is another thing on a new head: row 18.

use super::{
    Case,
    Ends::{Failed, Updated},
    cases,
};
use crate::{
    hosted::{Hosted, manifest},
    scene::Scene,
};

/// While the first push is on its way, a colleague commits what git-fast-import's command says of the manifest.
fn becomes(scene: &Scene, command: fn(&str) -> String) {
    scene.before_push(move |hosted: &Hosted| hosted.import(&command(&manifest(0).to_string())));
}

cases! {
    removed => Case::new(18, "the manifest is removed on the new head", Failed(2), |scene| {
        becomes(scene, |path| format!("D {path}"));
    }).says("apps/app-0/values.yaml");

    moved => Case::new(18, "the manifest is moved on the new head", Failed(2), |scene| {
        becomes(scene, |path| format!("R {path} apps/other.yaml"));
    }).says("apps/app-0/values.yaml");

    symbolic_link => Case::new(18, "the manifest is a symbolic link on the new head", Failed(1), |scene| {
        becomes(scene, |path| format!("M 120000 inline {path}\ndata 11\n/etc/passwd"));
    }).says("apps/app-0/values.yaml");

    folder => Case::new(18, "the manifest is a folder on the new head", Failed(2), |scene| {
        becomes(scene, |path| format!("D {path}\nM 100644 inline {path}/x\ndata 1\nx"));
    }).says("apps/app-0/values.yaml");

    key_is_gone => Case::new(18, "the manifest has no such key on the new head", Failed(2), |scene| {
        becomes(scene, |path| format!("M 100644 inline {path}\ndata 5\na: 1\n"));
    }).says("apps/app-0/values.yaml");

    others_are_kept => Case::new(18, "the manifest has other lines on the new head, which are kept", Updated, |scene| {
        becomes(scene, |path| format!("M 100755 inline {path}\ndata 24\n# new\nimage:\n  tag: \"1\"\n"));
    }).check(|scene| {
        assert_eq!(scene.file(&manifest(0).to_string()), "# new\nimage:\n  tag: \"2\"\n");
        assert!(scene.hosted.git(&["ls-tree", "main", &manifest(0).to_string()]).starts_with("100755 "));
    });
}
