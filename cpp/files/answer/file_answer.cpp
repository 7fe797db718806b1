#include "files/answer/file_answer.h"

#include "files/answer/fields.h"
#include "files/routes/route_table.h"

namespace httpuv::files {

Answer answer_with_file(FileAnswer&& given, const MimeTable& mime, const Query* query) {
  // A route of its own: its options hold for this one answer.
  Route route;
  route.options.headers = std::move(given.headers);
  const Options& options = route.options;
  const std::shared_ptr<FileEntry> entry = std::move(given.entry);
  entry->content_type = content_type(mime, given.name, options.html_charset);
  const std::string_view coding = coding_of(given.name, entry->content_type);

  const bool represents_file =
      query != nullptr && given.status == 200 && find_header(options, "content-range") == nullptr;
  if (!represents_file) {
    write_whole_fields(*entry, options, coding);
    Answer answer;
    answer.status = given.status;
    answer.fields = entry->fields;
    answer.keep = entry;
    answer.set_piece(*entry, 0, entry->size, query != nullptr && query->head);
    return answer;
  }
  write_file_fields(*entry, options, {coding, false});
  Resolution resolution;
  resolution.kind = ResolutionKind::kFile;
  resolution.route = &route;
  resolution.entry = entry;
  return respond(resolution, *query);
}

}  // namespace httpuv::files
