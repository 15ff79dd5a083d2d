//! The table in docs/ledger.md.

use super::{CASES_OF, Ends, Row, nth, replicas};
use crate::section;

fn line((name, row): &(&str, Row)) -> String {
    let ends = match row.ends {
        Ends::Updated => "updated, by one commit",
        Ends::Refused => "refused, nothing is written",
        Ends::Failed(2) => "an error that names the file",
        Ends::Failed(3) => "temporary: run it again",
        Ends::Failed(_) => "an error, nothing is written",
    };
    let of_program = if row.of_program == row.ends { String::new() } else { row.of_program.code().to_string() };
    format!("| {} | {} | `{name}` | {ends} | {} | {of_program} |\n", row.number, row.fault, row.ends.code())
}

#[tokio::test]
async fn the_table_has_every_fault() {
    let told = [nth::TOLD, replicas::TOLD].concat();
    let cases = CASES_OF.iter().flat_map(|cases| cases.iter()).map(|(name, case)| (*name, case.row));
    let mut rows: Vec<_> = cases.chain(told).collect();
    rows.sort_by_key(|(_, row)| row.number);
    let head =
        "| row | fault | test | ends | exit code | with the git program |\n| --- | --- | --- | --- | --- | --- |\n";
    let table: String = rows.iter().map(line).collect();
    section::compare("faults", &format!("{head}{table}{}", nth::told().await));
}
