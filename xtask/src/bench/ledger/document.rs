//! docs/bench-ledger.md.

use std::{
    error::Error,
    fmt::{self, Write as _},
    num::NonZeroUsize,
    time::Duration,
};

use super::{
    super::{
        document::{mebibytes, seconds},
        measured::{self, Taken},
        statistics::Spread,
    },
    crowd::{CROWD, Crowds},
    growth::{self, Growth},
    host::{ROUND_TRIP, Way},
    repository::Shape,
    update::{Series, Updates, WAYS},
    writer::{WRITERS, Writer},
};

pub(super) struct Document<'a> {
    pub(super) shape: Shape,
    /// Of update-ledger and of git.
    pub(super) versions: [String; 2],
    pub(super) updates: Option<&'a Updates>,
    pub(super) crowds: Option<&'a Crowds>,
    pub(super) growth: Option<&'a Growth>,
    /// Ours, doing nothing.
    pub(super) idle: Taken,
    /// The delay as measured.
    pub(super) there_and_back: Duration,
    pub(super) runs: NonZeroUsize,
    pub(super) machine: String,
    /// Where the repositories and the clones were.
    pub(super) kept_in: &'static str,
    /// Before the first run.
    pub(super) load: String,
}

impl Document<'_> {
    pub(super) fn markdown(&self) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        self.head(&mut text)?;
        self.aims(&mut text)?;
        if let Some(updates) = self.updates {
            update(&mut text, updates)?;
            self.floor(&mut text, updates)?;
        }
        if let Some(crowds) = self.crowds {
            crowd(&mut text, crowds)?;
        }
        if let Some(growth) = self.growth {
            grown(&mut text, growth)?;
        }
        Ok(text)
    }

    fn head(&self, text: &mut String) -> Result<(), Box<dyn Error>> {
        let [ours, git] = &self.versions;
        writeln!(
            text,
            "# What an update of the Ledger takes\n\n\
             `cargo xtask bench ledger --write-docs` wrote this file and the picture. It needs git.\n\n\
             ![Seconds for one update, by writer and size of the repository](bench-ledger.svg)\n\n\
             * **When and where**: {}, {}. Load before the first run: {}.\n\
             * **Versions**: update-ledger {ours}, for release; git {git}, at both ends.\n\
             * **The repository** has {} manifests, each in a folder of its own, and {} commits, after `git gc`. It and \
             the clones are {}.\n\
             * **The server** is `git http-backend` behind an HTTP server in this job's process, on the same cores, the \
             same for all. It allows filters, as most hosts do.\n\
             * **update-ledger** is `update-ledger --repo URL --file FILE --key image.tag --set TAG`.\n\
             * **script** is `xtask/src/bench/ledger/update.sh`: `git clone --depth 1 --single-branch`, sed, commit, push; \
             where the push came too late: `git fetch --depth 1`, reset, sed, commit, push, at once and until it is \
             done. *sparse* clones with `--filter=blob:none --no-checkout` and checks out one file. To remove the clone \
             is not counted.\n\
             * **How**: before each run the repository is put back to its first state; after it, each tag is read \
             there, the commits are counted, and no other ref may be left. Writers take turns. Each figure is the median \
             of {} runs, with the least and the greatest. CPU is the writer's own with all programs that it starts, user \
             and system; memory is that of the largest of them. Requests and connections are counted by the server, \
             bytes by the proxy.\n\
             * **{} ms** is a proxy before the server: half on the way there, half back, one round trip more to connect, \
             bandwidth not limited, no slow start, no TLS. As measured: {:.1} ms there and back.",
            measured::today()?,
            self.machine,
            self.load,
            self.shape.manifests,
            self.shape.commits,
            self.kept_in,
            self.runs,
            ROUND_TRIP.as_millis(),
            self.there_and_back.as_secs_f64() * 1e3,
        )?;
        Ok(())
    }

    fn aims(&self, text: &mut String) -> fmt::Result {
        let update = |way| self.updates.and_then(|updates| updates.ratio(way));
        let crowd = |way| self.crowds.and_then(|crowds| crowds.ratio(way));
        let grown = |points: fn(&Growth) -> &[growth::Point]| {
            self.growth.and_then(|growth| growth::last_to_first(points(growth)))
        };
        let aims = [
            ("one update, 0 ms: wall at most 0.2 of the script's", update(Way::Direct), 0.2),
            ("one update, 40 ms: wall at most 0.4 of the script's", update(Way::Delayed), 0.4),
            ("20 writers, 0 ms: wall at most 0.3 of the script's", crowd(Way::Direct), 0.3),
            ("20 writers, 40 ms: wall at most 0.3 of the script's", crowd(Way::Delayed), 0.3),
            (
                "tries are linear: each of 40 writers tries at most 1.25 times as often as each of 10",
                self.crowds.and_then(Crowds::growth_of_tries),
                1.25,
            ),
            ("flat in commits: 20,000 take at most 1.25 times what 100 take", grown(|growth| &growth.commits), 1.25),
            (
                "near flat in manifests: 20,000 take at most 2 times what 200 take",
                grown(|growth| &growth.manifests),
                2.0,
            ),
        ];
        writeln!(text, "\n## Aims\n\n| aim | here | met |\n| --- | --- | --- |")?;
        for (aim, ratio, limit) in aims {
            let Some(ratio) = ratio else { continue };
            writeln!(text, "| {aim} | {ratio:.2} | {} |", if ratio <= limit { "yes" } else { "**no**" })?;
        }
        Ok(())
    }

    /// What no client can go below with the requests of ours, and what ours adds.
    fn floor(&self, text: &mut String, updates: &Updates) -> fmt::Result {
        writeln!(
            text,
            "\n## What limits one update\n\n\
             *Floor*: the very bytes of one update-ledger, recorded and sent again by a client that computes nothing, from \
             the same state; the server makes the same commit of them. It is what the server and the network take. \
             *Network*: the round trips of the floor, one to connect and one a request. *Ours above the floor* is \
             everything that update-ledger does; its start and end alone (`--version`) take {:.3} s.\n\n\
             | way | update-ledger s | floor s | of it network s | ours above the floor s | CPU of ours s | script s | floor against the script |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |",
            self.idle.wall,
        )?;
        for (way, floor) in &updates.floors {
            let of = |writer| updates.of(writer, *way);
            let (Some(ours), Some(script)) = (of(Writer::Ours), of(Writer::Shallow)) else { continue };
            let (Some(wall), Some(cpu), Some(requests), Some(of_script)) =
                (ours.wall(), ours.spread(|run| run.taken.cpu), ours.spread(|run| run.requests as f64), script.wall())
            else {
                continue;
            };
            let round_trip = if *way == Way::Delayed { self.there_and_back.as_secs_f64() } else { 0.0 };
            writeln!(
                text,
                "| {} | {:.3} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.2} |",
                way.name(),
                wall.median,
                seconds(*floor),
                round_trip * (1.0 + requests.median),
                wall.median - floor.median,
                cpu.median,
                of_script.median,
                floor.median / of_script.median,
            )?;
        }
        Ok(())
    }
}

fn update(text: &mut String, updates: &Updates) -> fmt::Result {
    for way in WAYS {
        let title = if way == Way::Folder { "with the git program" } else { "over HTTP" };
        writeln!(
            text,
            "\n## One update, {}, {title}\n\n\
             | writer | wall s | against the script | CPU s | memory MiB | requests / connections | bytes down / up |\n\
             | --- | --- | --- | --- | --- | --- | --- |",
            way.name()
        )?;
        let script = updates.of(Writer::Shallow, way).and_then(Series::wall);
        for series in WRITERS.into_iter().filter_map(|writer| updates.of(writer, way)) {
            let (Some(wall), Some(cpu), Some(memory), Some(script)) =
                (series.wall(), series.spread(|run| run.taken.cpu), series.spread(|run| run.taken.memory), script)
            else {
                continue;
            };
            writeln!(
                text,
                "| {} | {} | {:.2} | {} | {} | {} | {} |",
                series.writer.name(),
                seconds(wall),
                wall.median / script.median,
                seconds(cpu),
                mebibytes(memory),
                pair(series.spread(|run| run.requests as f64), series.spread(|run| run.connections as f64)),
                pair(series.spread(|run| run.heard.answered as f64), series.spread(|run| run.heard.sent() as f64)),
            )?;
        }
    }
    Ok(())
}

fn crowd(text: &mut String, crowds: &Crowds) -> fmt::Result {
    writeln!(
        text,
        "\n## Many writers at once\n\n\
         Processes that start together, each with a manifest of its own; the wall time is from the first's start to the \
         last's end. All updates landed, each once. A try is a push, whatever became of it. *Idle* is the part of \
         the processors' time in which neither writers nor server had anything to do: what waits, for a turn or for the \
         network, is idle; near 0 the machine is what limits.\n\n\
         | way | writer | at once | wall s | against the script | tries | tries each | most by one | requests | idle |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for point in &crowds.points {
        let (Some(wall), Some(tries), Some(most), Some(requests), Some(idle)) = (
            point.spread(|race| race.wall),
            point.spread(|race| f64::from(race.tries)),
            point.spread(|race| f64::from(race.most_tries)),
            point.spread(|race| race.requests as f64),
            point.spread(|race| race.idle),
        ) else {
            continue;
        };
        let is_compared = point.writer == Writer::Ours && point.writers == CROWD;
        let ratio = crowds.ratio(point.way).filter(|_| is_compared);
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.1} | {} | {} | {:.2} |",
            point.way.name(),
            point.writer.name(),
            point.writers,
            seconds(wall),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            tries.median,
            tries.median / point.writers as f64,
            most.median,
            requests.median,
            idle.median,
        )?;
    }
    Ok(())
}

fn grown(text: &mut String, growth: &Growth) -> fmt::Result {
    writeln!(
        text,
        "\n## How one update grows with the repository (0 ms)\n\n\
         The floor is as above: what the server takes for the requests of ours.\n\n\
         | manifests | commits | writer | wall s | floor s | CPU s | memory MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for point in growth.commits.iter().chain(&growth.manifests) {
        let Shape { manifests, commits } = point.shape;
        writeln!(
            text,
            "| {manifests} | {commits} | {} | {} | {} | {:.3} | {:.1} |",
            point.writer.name(),
            seconds(point.wall),
            point.floor.map_or_else(String::new, seconds),
            point.cpu,
            point.memory,
        )?;
    }
    Ok(())
}

/// Two medians of whole numbers; a dash where nothing was counted.
fn pair(one: Option<Spread>, other: Option<Spread>) -> String {
    match (one, other) {
        (Some(one), Some(other)) if one.greatest > 0.0 => format!("{} / {}", one.median, other.median),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_counted_is_no_number() {
        let spread = |figure| Spread::of([figure]);
        assert_eq!(pair(spread(4.0), spread(1.0)), "4 / 1");
        assert_eq!(pair(spread(0.0), spread(0.0)), "-");
        assert_eq!(pair(None, None), "-");
    }
}
