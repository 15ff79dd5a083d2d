use std::io;

use clap::builder::{Resettable, StyledStr};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

/// What packagers ask for: `--completions SHELL` or `--man`, alone. None where neither stands among the words; else the
/// text, or what is wrong with the words.
pub(crate) fn manual(command: clap::Command, words: &[String]) -> Option<Result<Vec<u8>, String>> {
    const COMPLETIONS: &str = "--completions";
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let of_shell = |word: &str| word.strip_prefix(COMPLETIONS)?.strip_prefix('=').map(str::to_owned);
    if !words.iter().any(|word| ["--man", COMPLETIONS].contains(word) || of_shell(word).is_some()) {
        return None;
    }
    let shell = match words.as_slice() {
        ["--man"] => return Some(pages(command).map_err(|error| format!("error: {error}\n"))),
        [COMPLETIONS, shell] => (*shell).to_owned(),
        [word] => of_shell(word).unwrap_or_default(),
        _ => return Some(Err("error: --man and --completions SHELL stand alone\n".to_owned())),
    };
    Some(shell.parse().map(|shell| completions(command, shell)).map_err(|_| {
        format!("error: {shell:?} is no shell: write --completions bash, zsh, fish, elvish or powershell\n")
    }))
}

fn completions(mut command: clap::Command, shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut text);
    text
}

/// The command's page, and after it one for each of its subcommands.
fn pages(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    let mut text = Vec::new();
    for command in std::iter::once(command).chain(subcommands) {
        text.extend(page(command)?);
    }
    Ok(text)
}

/// One page: its synopsis is that of `--help`, and so are the sections at its end.
fn page(mut command: clap::Command) -> io::Result<Vec<u8>> {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let after = command.get_after_help().map(StyledStr::to_string).unwrap_or_default();
    let mut text = Vec::new();
    Man::new(command.override_usage(usage).after_help(Resettable::Reset)).render(&mut text)?;
    let mut sections = Roff::new();
    for (heading, section) in after.split("\n\n").filter_map(|section| section.split_once(':')) {
        sections.control("SH", [heading.to_uppercase().as_str()]);
        for line in section.strip_prefix([' ', '\n']).unwrap_or(section).lines() {
            sections.text([roman(line)]);
        }
    }
    sections.to_writer(&mut text)?;
    Ok(text)
}
