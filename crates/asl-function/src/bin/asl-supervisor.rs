//! The supervisor of a function's worker as a program of its own, for embedding programs that cannot be started again as one.
#![forbid(unsafe_code)]

fn main() {
    asl_function::supervisor::serve_if_asked();
    eprintln!("asl-supervisor: started by programs that embed asl (supervisor::use_program), not by hand");
    std::process::exit(2);
}
