//! The command line of `shardwright`.

fn main() {}
