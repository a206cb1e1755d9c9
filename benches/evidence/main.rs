//! Makes every table of `docs/evidence.md` again.

fn main() {}
