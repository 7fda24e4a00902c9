// SPDX-License-Identifier: Apache-2.0
//! Aligns tab-separated text in columns, as Go's `text/tabwriter` does for kubectl.
//!
//! A cell is text ended by a tab; what follows the last tab of a line belongs to no column. Cells of one column in
//! adjacent lines make a block, and each block is as wide as its widest cell: a line without the cell ends the block.
//! Entry points: [`describe`] and [`table`], the two settings that kubectl uses.

use std::ops::Range;

/// Aligns with the settings of `describe`: columns two spaces apart, no smallest width.
pub fn describe(text: &str) -> String {
    align(text, 0, 2)
}

/// Aligns with the settings of tables: columns three spaces apart, at least six wide.
pub fn table(text: &str) -> String {
    align(text, 6, 3)
}

fn align(text: &str, smallest: usize, padding: usize) -> String {
    let (body, ends) = match text.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (text, ""),
    };
    let lines: Vec<Vec<&str>> = body
        .split('\n')
        .map(|line| line.split('\t').collect())
        .collect();
    let mut layout = Layout {
        lines: &lines,
        widths: Vec::new(),
        smallest,
        padding,
        out: String::with_capacity(text.len() * 2),
    };
    layout.block(0..lines.len());
    if ends.is_empty() {
        layout.out.pop();
    }
    layout.out
}

struct Layout<'a> {
    lines: &'a [Vec<&'a str>],
    widths: Vec<usize>,
    smallest: usize,
    padding: usize,
    out: String,
}

impl Layout<'_> {
    /// Lays out lines whose first `widths.len()` columns are known.
    fn block(&mut self, lines: Range<usize>) {
        let column = self.widths.len();
        let has_cell = |line: &Vec<&str>| column + 1 < line.len();
        let mut start = lines.start;
        let mut at = lines.start;
        while at < lines.end {
            if !has_cell(&self.lines[at]) {
                at += 1;
                continue;
            }
            self.write(start..at);
            start = at;
            while at < lines.end && has_cell(&self.lines[at]) {
                at += 1;
            }
            let widest = self.lines[start..at]
                .iter()
                .map(|line| line[column].chars().count() + self.padding)
                .max();
            self.widths.push(widest.unwrap_or(0).max(self.smallest));
            self.block(start..at);
            self.widths.pop();
            start = at;
        }
        self.write(start..lines.end);
    }

    fn write(&mut self, lines: Range<usize>) {
        for line in &self.lines[lines] {
            for (column, cell) in line.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = self.widths.get(column).filter(|_| column + 1 < line.len()) {
                    self.out.extend(std::iter::repeat_n(
                        ' ',
                        width.saturating_sub(cell.chars().count()),
                    ));
                }
            }
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{describe, table};

    #[test]
    fn columns_are_as_wide_as_their_block() {
        let check =
            |input: &str, expected: &str| assert_eq!(describe(input), expected, "{input:?}");
        check("", "");
        check("no tabs\n", "no tabs\n");
        check("a:\t1\nlonger:\t2\n", "a:       1\nlonger:  2\n");
        check("a:\t1\nbreak\nlonger:\t2\n", "a:  1\nbreak\nlonger:  2\n");
        check("Labels:\ta=b\n\tc=d\n", "Labels:  a=b\n         c=d\n");
        check("a\tb\tc\nlong\tx\n", "a     b  c\nlong  x\n");
        check("ä\t1\nbb\t2\n", "ä   1\nbb  2\n");
        check("a\t\n", "a  \n");
        check("a\tb", "a  b");
    }

    #[test]
    fn tables_have_a_smallest_width() {
        assert_eq!(table("*\thome\n\twork\n"), "*     home\n      work\n");
        assert_eq!(
            table("CURRENT\tNAME\n*\thome\n"),
            "CURRENT   NAME\n*         home\n"
        );
    }
}
