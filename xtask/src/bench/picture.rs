//! docs/bench-copy.svg: bars of seconds, a group for each image, network and case.

use std::fmt::Write as _;

use super::{
    comparison::{CASES, Comparison, SETTINGS, title},
    tool::{OURS, Tool},
};

/// Pixels.
const LEFT: usize = 200;
const BARS: f64 = 420.0;
const WIDTH: usize = 760;
const BAR: usize = 14;
const GAP: usize = 10;

/// Each group has a scale of its own: the slowest tool's bar is full.
pub(super) fn of(comparison: &Comparison, tools: &[Tool]) -> String {
    let mut groups = Vec::new();
    for setting in SETTINGS {
        for there in CASES {
            let walls = tools
                .iter()
                .filter_map(|tool| Some((tool.name, comparison.of(tool.name, setting, there)?.wall()?.median)));
            let bar = |(name, seconds)| Bar { name: String::from(name), seconds, ours: name == OURS };
            groups.push((title(setting, there), walls.map(bar).collect()));
        }
    }
    draw("Seconds for each copy, medians", &groups)
}

/// A named length.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) seconds: f64,
    pub(super) ours: bool,
}

/// Groups of bars; each group has a scale of its own.
pub(super) fn draw(what: &str, groups: &[(String, Vec<Bar>)]) -> String {
    let mut bars = String::new();
    let mut y = 40;
    for (title, walls) in groups {
        let longest = walls.iter().map(|bar| bar.seconds).fold(f64::MIN_POSITIVE, f64::max);
        let _fits = writeln!(bars, "<text x=\"10\" y=\"{}\" class=\"t\">{title}</text>", y + BAR - 3);
        for Bar { name: tool, seconds: wall, ours } in walls {
            let class = if *ours { "ours" } else { "peer" };
            let width = wall / longest * BARS;
            let end = LEFT as f64 + width + 6.0;
            let base = y + BAR - 3;
            let _fits = writeln!(
                bars,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" class=\"{class}\"/>\
                 <text x=\"{end:.1}\" y=\"{base}\">{wall:.3} s {tool}</text>",
                BAR - 2
            );
            y += BAR;
        }
        y += GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         role=\"img\">\n\
         <title>{what}; shorter is better; each group has its own scale</title>\n\
         <style>text{{font:11px sans-serif;fill:#333}}.t{{font-weight:bold}}.ours{{fill:#1769aa}}.peer{{fill:#b8bec6}}\
         </style>\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"20\" class=\"t\">{what}; shorter is better; each group has its own scale</text>\n{bars}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_bar_is_full_and_the_others_are_in_proportion() {
        let bar = |name: &str, seconds| Bar { name: name.to_owned(), seconds, ours: name == OURS };
        let groups = [("c, direct, cold".to_owned(), vec![bar(OURS, 0.25), bar("skopeo", 1.0)])];
        let picture = draw("Seconds", &groups);
        assert!(picture.contains("width=\"105.0\" height=\"12\" class=\"ours\""), "{picture}");
        assert!(picture.contains("width=\"420.0\" height=\"12\" class=\"peer\""), "{picture}");
        assert_eq!(picture.matches("<rect").count(), 3);
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    }
}
