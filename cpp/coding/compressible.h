// Whether content of a media type is worth compressing.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace httpuv::coding {

// A media type without its parameters, in lower case.
std::string essence_of(std::string_view type);

// Whether compressing bytes of that type is likely to pay (text, not pictures or archives).
bool worth_compressing(std::string_view type);

// Whether the type is always compressed, so that there is no .gz beside the file.
bool already_compressed(std::string_view type);

}  // namespace httpuv::coding
