// The rules that every source file keeps: the include ladder, who sees which library, the first
// line, the length.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::test {

// What is wrong with one file, each as "path:line: rule"; the path is relative to the root and
// decides the rules.
std::vector<std::string> broken_rules(std::string_view path, std::string_view text);

// Every .h, .cpp and .S of the tree's own folders, sorted, relative to the root.
std::vector<std::string> source_files(const std::filesystem::path& root);

// Every CMakeLists.txt and .cmake of the same folders, sorted, relative to the root.
std::vector<std::string> build_files(const std::filesystem::path& root);

}  // namespace vitrine::test
