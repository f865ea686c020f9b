//! Writing to the terminal. A reader that went away, such as `head`, is no error.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use super::failure::Failure;

/// Columns of an output that goes to no terminal.
const WIDTH_DEFAULT: u16 = 120;

/// Data.
pub(super) fn data(text: &str) {
    let mut stdout = anstream::stdout().lock();
    _ = stdout.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        _ = stdout.write_all(b"\n");
    }
    _ = stdout.flush();
}

/// Conversation.
pub(super) fn say(text: &str) {
    let mut stderr = anstream::stderr().lock();
    _ = writeln!(stderr, "{text}");
}

/// Ends a command that failed.
pub(super) fn fail(failure: &Failure) -> ExitCode {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    say(&format!("{red}error:{red:#} {}", failure.message));
    if let Some(excerpt) = &failure.excerpt {
        say(excerpt.trim_end());
    }
    if let Some(hint) = &failure.hint {
        let bold = Style::new().bold();
        say(&format!("{bold}hint:{bold:#} {hint}"));
    }
    failure.exit.into()
}

/// Width of the terminal in columns, or of what is read elsewhere.
pub(super) fn width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns
        .or_else(|| rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col))
        .filter(|columns| *columns > 0)
        .unwrap_or(WIDTH_DEFAULT)
}

/// Whether data may be coloured.
pub(super) fn is_coloured() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}
