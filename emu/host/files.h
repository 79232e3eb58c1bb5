// Whole files in and out; errors are exceptions that say which file and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::emu::host {

/// The host said no: a file that is missing, unreadable or unwritable. One sentence.
class HostError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::vector<std::byte> read_file(const std::filesystem::path& path);
/// Writes beside the target and renames, so that a reader never sees half a file.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

/// Folder of the running program; empty when the host does not tell.
std::filesystem::path program_folder();
/// Per-user folder for fetched files, e.g. ~/.cache/vitrine; empty when there is none.
std::filesystem::path cache_folder();

}  // namespace vitrine::emu::host
