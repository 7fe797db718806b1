// libuv's memory: what it cannot go on without is there.
//
// What: libuv ends the process where the table of what it watches cannot grow (a new connection has
// a higher descriptor
//   than all before). So its realloc(3) has something in reserve, which is kept again as soon as
//   there is memory.
// Thread: any. Ownership: the process's, since libuv has one allocator. Failure: none; without
// memory at the beginning
//   nothing is in reserve.
#pragma once

#include <cstddef>

namespace httpuv::net {

// To be called before anything else of libuv. Idempotent.
void reserve_uv_memory();

// realloc(3) for libuv.
void* reallocate_with_reserve(void* block, std::size_t size) noexcept;

}  // namespace httpuv::net
