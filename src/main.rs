//! The program: everything else is in the library.

mod heap;

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = etl::cli::main(heap::give_back);
    heap::keep();
    code
}
