// A lock between processes that ends with its holder: flock(2) on a file that is there only while somebody
// has it. Cold.
#pragma once

namespace vtepd {

/// Takes the lock, making its file. An fd to hold it by, -EAGAIN when somebody else has it, or another
/// -errno. Whoever has it removes the file first and closes the fd then.
int lock_file(const char *path);

}  // namespace vtepd
