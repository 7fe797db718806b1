// Pieces of a file, on their way to a socket.
//
// What: the system calls behind Stream::send_file(). is_resident(), read_resident() and
//   send_slice() are for the loop thread, and do not wait for the disk if used in this order;
//   warm() and read_blocking() do, and are for pool threads.
// Ownership: none.
// Failure: negative libuv error numbers; UV_EAGAIN where a call would have waited.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace httpuv::net {

// Whether the range is in the page cache, so that sending it does not read from a disk. False also
// where the system cannot tell.
bool is_resident(int file, std::uint64_t offset, std::size_t length);

// Reads into the page cache what is not there: returns how much of the range exists, or an error.
ssize_t warm(int file, std::uint64_t offset, std::size_t length);

// Bytes read from the page cache; 0 at the end of the file; UV_EAGAIN if it would have to wait or
// the system cannot tell.
ssize_t read_resident(int file, std::uint64_t offset, char* into, std::size_t length);
// The same, from wherever it is.
ssize_t read_blocking(int file, std::uint64_t offset, char* into, std::size_t length);

// Bytes the socket took; 0 at the end of the file; UV_EAGAIN if the socket is full; UV_ENOTSUP if
// this kind of file (or system) cannot be sent this way.
ssize_t send_slice(int socket, int file, std::uint64_t offset, std::size_t length);

// Sends bytes that a send_slice() follows, so that both share a packet. As send(2).
ssize_t send_before_slice(int socket, const char* data, std::size_t length);

}  // namespace httpuv::net
