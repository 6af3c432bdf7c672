//! Every developer task, by name.

fn main() {}
