//! The `quotagate` program: the allocator and the process's memory are set up here, everything else is in `cli`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Filling a huge page is one fault of 2 MB: a decision that meets it stalls for milliseconds. Where the kernel has no
    // such switch there is nothing to turn off.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    quotagate::cli::run()
}
