//! What bars are drawn on: the terminal of stderr. A whole frame goes there at once, by the same way as the lines.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use indicatif::TermLike;
use rustix::termios::tcgetwinsize;

/// The size that a terminal is taken for that tells none, in rows and columns.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// The height and the width of the terminal of stderr, in rows and columns.
pub(crate) fn size() -> (u16, u16) {
    let size = tcgetwinsize(io::stderr()).map(|size| (size.ws_row, size.ws_col));
    size.ok()
        .filter(|(rows, columns)| *rows > 0 && *columns > 0)
        .unwrap_or(USUAL_SIZE)
}

/// The terminal behind this stream.
pub(super) struct Canvas {
    stream: Arc<Mutex<Box<dyn Write + Send>>>,
    frame: Mutex<String>,
}

impl Canvas {
    /// Nothing is drawn yet.
    pub(super) fn on(stream: &Arc<Mutex<Box<dyn Write + Send>>>) -> Self {
        Self {
            stream: Arc::clone(stream),
            frame: Mutex::default(),
        }
    }

    fn add(&self, text: &str) {
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        frame.push_str(text);
    }

    /// Moves the cursor this often by a control sequence of ECMA-48.
    fn move_cursor(&self, count: usize, direction: char) {
        if count > 0 {
            self.add(&format!("\u{1b}[{count}{direction}"));
        }
    }
}

impl fmt::Debug for Canvas {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Canvas").finish_non_exhaustive()
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        size().1
    }

    fn height(&self) -> u16 {
        size().0
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.move_cursor(count, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.move_cursor(count, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.move_cursor(count, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.move_cursor(count, 'D');
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.add(line);
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\u{1b}[2K");
        Ok(())
    }

    /// Never an error: lines that cannot be written are none either, and indicatif panics on some.
    fn flush(&self) -> io::Result<()> {
        let frame = {
            let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *frame)
        };
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream
            .write_all(frame.as_bytes())
            .and_then(|()| stream.flush());
        Ok(())
    }
}
