//! The thin binary that wires hedgerow's defaults together.

fn main() {}
