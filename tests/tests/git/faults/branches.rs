//! The branch is rewound, deleted, renamed or guarded: rows 11 to 14.

use sandbox::Act;

use super::{
    Case,
    Ends::{Failed, Refused, Updated},
    cases,
    pushes::then,
};
use crate::{
    hosted::{Hosted, manifest},
    scene::{PUSH, Scene},
    wire::reports,
};

const POLICY: &str =
    "ng refs/heads/main TF402455: Pushes to this branch are not permitted; you must use a pull request";

/// A colleague's commit, which will be dropped.
fn dropped(scene: &Scene) {
    scene.hosted.import("M 100644 inline README.md\ndata 7\ndropped");
}

fn stays_dropped(scene: &Scene) {
    assert_eq!(scene.file("README.md"), "seed\n", "what was dropped was brought back");
}

fn made_anew(hosted: &Hosted) {
    hosted.git(&["update-ref", "-d", "refs/heads/main"]);
    let text = "image:\n  tag: \"0\"\n";
    let file = format!("M 100644 inline {}\ndata {}\n{text}\n", manifest(0), text.len());
    let head = "commit refs/heads/main\ncommitter A <a@localhost> 1800000000 +0000\ndata 4\nanew\n";
    hosted.stream(format!("{head}{file}").as_bytes());
}

cases! {
    rewound_before_the_push => Case::new(11, "the branch is rewound before the push: judged again where it stands, and what was dropped stays so", Updated, |scene| {
        dropped(scene);
        scene.before_push(|hosted| drop(hosted.git(&["update-ref", "refs/heads/main", "main^"])));
    }).check(stays_dropped);

    rewound_after_a_lost_answer => Case::new(11, "the push is done, its answer lost, and the branch rewound to where it was", Updated, |scene| {
        then(scene, |hosted| drop(hosted.git(&["update-ref", "refs/heads/main", "main^"])));
    });

    deleted_before_the_push => Case::new(12, "the branch is deleted before the push", Failed(1), |scene| {
        scene.hosted.git(&["branch", "other", "main"]);
        scene.before_push(|hosted| drop(hosted.git(&["update-ref", "-d", "refs/heads/main"])));
    }).check(|scene| assert_eq!(scene.refs(), "refs/heads/other\n"));

    made_anew_before_the_push => Case::new(12, "the branch is deleted and made anew from nothing", Updated, |scene| {
        scene.before_push(made_anew);
    }).check(|scene| assert_eq!(scene.hosted.git(&["rev-list", "--count", "main"]), "2\n"));

    branch_is_renamed => Case::new(13, "the default branch is called trunk by now, and there is no main", Failed(1), |scene| {
        scene.hosted.git(&["branch", "--move", "main", "trunk"]);
    }).check(|scene| assert_eq!(scene.refs(), "refs/heads/trunk\n"));

    default_is_another => Case::new(13, "another branch is the default, and main is there", Updated, |scene| {
        scene.hosted.git(&["branch", "trunk", "main"]);
        scene.hosted.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    });

    tag_of_the_same_name => Case::new(13, "a tag is called main too", Updated, |scene| {
        dropped(scene);
        scene.hosted.git(&["tag", "main", "main^"]);
    }).check(|scene| assert_eq!(scene.hosted.git(&["log", "--format=%s", "-1", "refs/heads/main^"]), "colleague\n"));

    branch_policy => Case::new(14, "a branch policy, in the words of Azure DevOps (TF402455)", Refused, |scene| {
        scene.on(PUSH, 1.., |_| reports(&["unpack ok", POLICY]));
    });

    branch_policy_of_a_hook => Case::new(14, "a branch policy, as a hook of the server", Refused, |scene| {
        scene.hosted.hook("pre-receive", "echo 'GH006: protected branch' >&2; exit 1");
    });

    no_permission => Case::new(14, "403 to every push", Refused, |scene| {
        scene.on(PUSH, 1.., |_| Act::answer(403, "no"));
    });
}
