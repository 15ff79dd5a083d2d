//! docs/faults.md.

use super::{Ends, Row, all, nth, races, referrers, tls};
use crate::snapshot;

const ABOVE: &str = "\
# Faults

What goes wrong between two registries, and how `copy-artifact` ends. Each line is a test of its own: the real binary,
real sockets, a proxy that breaks what passes through it, and afterwards a look at the destination by plain HTTP that
shares no code with ours (`cargo test -p tests --test it faults::`). *Copied* means: exit code 0, the tag names the
digest, every part of the image and of its referrers is there with the right bytes, and at most one blob was read twice.
Where it failed, no tag was set. The numbers are those of the rows of the fault model.

| row | fault | test | ends | exit code |
| --- | --- | --- | --- | --- |
";

fn line((name, row): &(&str, Row)) -> String {
    let ends = match row.ends {
        Ends::Copied => "copied",
        Ends::OneOfTwo => "one copied, the other refused",
        Ends::Held => "the tag is held, and unmoved",
        Ends::LiedTo => "integrity: the tag is right and the registry was caught",
        Ends::Failed(3) => "temporary: run it again",
        Ends::Failed(13) => "integrity",
        Ends::Failed(_) => "failed",
    };
    format!("| {} | {} | `{name}` | {ends} | {} |\n", row.number, row.fault, row.ends.codes())
}

/// What was measured for this project (crane 0.21, skopeo 1.9.3 and 1.22, regctl, oras 1.3).
const BELOW: &str = "
## What others do

| row | crane | skopeo | regctl | oras |
| --- | --- | --- | --- | --- |
| 1, connection reset in mid-blob | ok | fails | fails after 14 to 23 s, with a misleading 404 | fails |
| 6, 429 ten times with Retry-After: 2 | ok, ignores the header | ok | ok | ok |
| 7, 503 once on a HEAD | ok | fails | ok | ok |
| 9, PUT answered 201 but lost | exit 0 | exit 0 | exit 0 | detected by chance |
| 10, another digest in the answer to a manifest's PUT | exit 0 | exit 0 | detected | detected |
| 12, the tag has this digest, PUTs of it are refused | ok | fails | ok | fails |
| 17, corrupt blob at the source | fails | fails | fails, wrong message | fails by the registry's 400 |
| 24, tag with another digest, mutable repository | overwrites | overwrites | overwrites | overwrites |
";

#[tokio::test]
async fn the_table_has_every_fault() {
    let told = [nth::TOLD, races::TOLD, referrers::TOLD, tls::TOLD].concat();
    let mut rows: Vec<_> = all().map(|(name, case)| (*name, case.row)).chain(told).collect();
    rows.sort_by_key(|(_, row)| row.number);
    let table: String = rows.iter().map(line).collect();
    let text = format!("{ABOVE}{table}{}{BELOW}", nth::told().await);
    snapshot::compare("../docs/faults.md", &text, snapshot::UPDATE_DOCS);
}
