//! What holds of each parser whatever bytes come: the bodies of the fuzz targets. The tests run them over `corpus/`.

use crate::git::fuzzing as git;

release::fuzz_targets! {
    "rest-commit" => git::a_commit,
    "rest-item" => git::an_item,
    "rest-push-error" => git::a_push_error,
}
