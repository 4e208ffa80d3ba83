// Layout of messages; see diagnostics.h.
#include "compiler/diagnostics.h"

#include <fmt/format.h>

namespace tinytc {

namespace {

/// Characters that reorder or break the text around them: C1 controls, marks of writing direction, line and
/// paragraph separators. `lead` and `rest` are the first byte and the number that the following bytes carry.
bool misleads(unsigned char lead, unsigned rest) {
  if (lead == 0xC2) return rest < 0x20;   // U+0080..U+009F
  if (lead == 0xD8) return rest == 0x1C;  // U+061C
  if (lead != 0xE2) return false;         // U+2000.. follow
  return rest == 0x0E || rest == 0x0F || (rest >= 0x28 && rest <= 0x2E) || (rest >= 0x66 && rest <= 0x69);
}

/// Length in bytes of the valid and harmless UTF-8 sequence that starts at text[i]; 0 if there is none.
std::size_t utf8_length(const std::string& text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  std::size_t length = 0;
  if (lead < 0x80) length = 1;
  if (lead >= 0xC2 && lead < 0xE0) length = 2;
  if (lead >= 0xE0 && lead < 0xF0) length = 3;
  if (lead >= 0xF0 && lead < 0xF5) length = 4;
  if (length == 0 || i + length > text.size()) return 0;
  unsigned rest = 0;
  for (std::size_t k = 1; k < length; ++k) {
    const auto byte = static_cast<unsigned char>(text[i + k]);
    if ((byte & 0xC0) != 0x80) return 0;
    rest = rest << 6 | (byte & 0x3FU);
  }
  return misleads(lead, rest) ? 0 : length;
}

}  // namespace

std::string printable(const std::string& text, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (out.size() >= limit) return out + "...";
    const std::size_t length = utf8_length(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '\n') {
      out += "\\n";
    } else if (text[i] == '\\') {
      out += "\\\\";
    } else if (length == 0 || byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

std::string describe(const Location& location) {
  std::string out = location.node.empty() ? "node" : fmt::format("node '{}'", printable(location.node));
  if (location.op.empty()) return out;
  if (location.index < 0) return out + fmt::format(" ({})", printable(location.op));
  return out + fmt::format(" ({}, #{})", printable(location.op), location.index);
}

std::string node_message(const Location& location, const std::string& message,
                         const std::vector<std::string>& details, const std::string& hint) {
  std::string out = fmt::format("{}: {}", describe(location), message);
  for (const std::string& detail : details) out += "\n  " + detail;
  if (!hint.empty()) out += "\n  hint: " + hint;
  return out;
}

void ErrorList::throw_if_any() const {
  if (messages_.empty()) return;
  std::string all;
  for (const std::string& message : messages_) all += (all.empty() ? "" : "\n") + message;
  throw UserError(all);
}

}  // namespace tinytc
