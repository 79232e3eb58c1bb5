// The program as users meet it: exit codes, one sentence for bad input, panels, traces, completion.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

#include "frontend/commands/commands.h"
#include "frontend/inspect/panels.h"
#include "tests/frontend/program.h"
#include "tests/guest/guest.h"

using namespace vitrine;
using test::run_vitrine;

namespace {

std::string text_of(const std::filesystem::path& path) {
  const auto bytes = emu::host::read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Exit code 2, nothing on stdout, one line on stderr that names `what`.
void check_refused(const std::vector<std::string>& arguments, const std::string& what) {
  const auto result = run_vitrine(arguments);
  INFO(result.errors);
  CHECK(result.exit_code == 2);
  CHECK(result.output.empty());
  CHECK(std::count(result.errors.begin(), result.errors.end(), '\n') == 1);
  CHECK(result.errors.find(what) != std::string::npos);
}

}  // namespace

TEST_CASE("input that cannot be used gets one sentence and exit code 2", "[program]") {
  check_refused({"run", "no-such-image"}, "no-such-image");
  check_refused({"run", "/no/such/file"}, "/no/such/file");
  check_refused({"run"}, "nothing to boot");
  check_refused({"run", "hello", "-m", "4Q"}, "4Q");
  check_refused({"run", "hello", "--smp", "9"}, "processors");
  check_refused({"run", "hello", "--cpu", "i486"}, "i486");
  check_refused({"run", "hello", "--engine", "steam"}, "steam");
  check_refused({"run", "hello", "--rtc", "noon"}, "noon");
  check_refused({"show", "partition", "tour"}, "did you mean 'partitions'?");
  check_refused({"show", "registers", "hello", "--syntax", "masm"}, "masm");
  check_refused({"show", "translation", "hello", "--at", "here"}, "here");
  check_refused({"show", "registers", "hello", "--smp", "2", "--processor", "2"},
                "--processor is below the machine's 2, not 2");
  check_refused({"run", "hello", "--quantum", "0"}, "the quantum is at least one cycle");
  check_refused({"explain", "call", "0x9999"}, "0x9999");
  check_refused({"explain", "exit", "ept_violatio"}, "did you mean 'ept_violation'?");
  check_refused({"explain", "status", "access_deny"}, "did you mean 'access_denied'?");
  check_refused({"help", "runn"}, "did you mean 'run'?");
  check_refused({"completion", "fish"}, "fish");
  check_refused({"trace", "ls", "/no/such/file"}, "/no/such/file");
  check_refused({"new", "payload", "a b"}, "a b");
}

TEST_CASE("a hypervisor of one's own runs, and says where its objects cannot be shown",
          "[program]") {
  if (!test::have_image("vitrine-hv") || !test::have_image("hello")) return;
  test::TemporaryFolder folder("own-hypervisor");
  const auto shipped = ui::image_folder() / "vitrine-hv.elf";
  const std::string renamed = (folder / "mine.elf").string();
  std::filesystem::copy_file(shipped, renamed);
  // The same hypervisor with its root object under another name: a letter of its symbol is changed.
  std::string bytes = text_of(shipped);
  const std::string symbol = "_ZN7vitrine2hv10hypervisorE";
  for (size_t at = bytes.find(symbol); at != std::string::npos; at = bytes.find(symbol, at + 1)) {
    bytes[at + symbol.size() - 2] = 'd';
  }
  const std::string foreign = (folder / "foreign.elf").string();
  emu::host::write_file(foreign, bytes);
  const std::string sentence = "'foreign.elf' has no object 'hypervisor' of the layout known here";

  SECTION("our image by another name is still ours") {
    const auto result = run_vitrine({"show", "partitions", "hello", "--hv", renamed});
    INFO(result.errors);
    CHECK(result.exit_code == 0);
    CHECK(result.output.find("active") != std::string::npos);
  }
  SECTION("a foreign one runs like any other, with a remark") {
    const auto result = run_vitrine({"run", "hello", "--hv", foreign, "--serial", "null"});
    INFO(result.errors);
    CHECK(result.exit_code == 0);
    CHECK(result.errors.find(sentence) != std::string::npos);
    CHECK(run_vitrine({"run", "hello", "--hv", renamed, "--serial", "null"}).errors.empty());
  }
  SECTION("panels and conditions on its objects are refused") {
    check_refused({"show", "partitions", "hello", "--hv", foreign}, sentence);
    check_refused({"show", "eventlog", "hello", "--hv", foreign}, sentence);
    check_refused(
        {"run", "hello", "--hv", foreign, "-q", "--until", "partition(1).state == active"},
        sentence);
    CHECK(run_vitrine({"show", "vmcs", "hello", "--hv", foreign}).exit_code == 0);
  }
  SECTION("what is no image at all is refused") {
    emu::host::write_file((folder / "notes.txt").string(), "not a hypervisor");
    check_refused({"run", "hello", "--hv", (folder / "notes.txt").string()}, "notes.txt");
    check_refused({"run", "hello", "--hv", (folder / "absent").string()}, "absent");
  }
}

TEST_CASE("words that no command takes are named, with the nearest that one does", "[program]") {
  check_refused({}, "needs one of run, show");
  check_refused({"rum"}, "there is no command 'rum'; did you mean 'run'?");
  check_refused({"xyzzy"}, "there are run, show");
  check_refused({"--frob"}, "there is no option '--frob'");
  check_refused({"run", "--kernal", "x"}, "of 'run'; did you mean '--kernel'?");
  check_refused({"run", "hello", "more"}, "takes no further word 'more'");
  check_refused({"run", "hello", "--kernel"}, "--kernel needs a value");
  check_refused({"show"}, "'show' needs its panel");
  check_refused({"trace"}, "'trace' needs one of ls, grep, stat");
  check_refused({"trace", "lss"}, "did you mean 'ls'?");
  check_refused({"trace", "grep", "x"}, "'trace grep' needs its file");
  check_refused({"explain", "call", "FinalizePartition2"}, "HvCallFinalizePartition");
  for (const std::string option : {"--smp", "--seed", "--max-cycles"}) {
    check_refused({"run", "hello", option, "-1"}, option);
    check_refused({"run", "hello", option, "1e6"}, "not '1e6'");
    check_refused({"run", "hello", option, "99999999999999999999"}, "whole number");
  }
}

TEST_CASE("a file that cannot be a disk is refused by name", "[program][disk]") {
  const test::TemporaryFolder folder("refused-disks");
  const auto file = [&folder](const std::string& name, const std::string& content) {
    emu::host::write_file(folder / name, content);
    return (folder / name).string();
  };
  const auto with = [](const std::string& disk) {
    return std::vector<std::string>{"run", "hello", "--disk", disk};
  };
  check_refused(with("/no/such/disk"), "/no/such/disk");
  check_refused(with((folder / "").string()), "folder");
  check_refused(with(file("empty", "")), "is empty");
  check_refused(with(file("q", "QFI\xFB and more")), "is a qcow2 disk");
  check_refused(with(file("v", "KDMV and more")), "is a VMDK disk");
  check_refused(with(file("raw", "bytes") + ",fast"), "FILE,readonly or FILE,commit");
  check_refused(with(",commit"), "FILE,readonly or FILE,commit");
  std::vector<std::string> nine = {"run", "hello"};
  for (int i = 0; i < 9; ++i) nine.insert(nine.end(), {"--disk", file("raw", "bytes")});
  check_refused(nine, "at most 8 disks");
}

TEST_CASE("a file that is no image or no firmware is refused by what it is",
          "[program][firmware]") {
  const test::TemporaryFolder folder("refused-images");
  const auto file = [&folder](const std::string& name, size_t offset, const std::string& magic) {
    std::string content(0x9000, '\x90');
    content.replace(offset, magic.size(), magic);
    emu::host::write_file(folder / name, content);
    return (folder / name).string();
  };
  const std::string efi = file("app.efi", 0, "MZ");
  const std::string iso = file("cd.iso", 0x8001, "CD001");
  const std::string volume = file("OVMF.fd", 0x28, "_FVH");
  const std::string rom = file("bios.bin", 0x9000 - 16, {'\xB0', '\0', '\xE6', '\xF4', '\xF4'});
  check_refused({"run", efi}, "PE/EFI application; give");
  check_refused({"run", iso}, "ISO image; give");
  check_refused({"run", volume}, "firmware volume; give");
  check_refused({"run", rom}, "no image this machine can boot");
  check_refused({"run", "--firmware", efi}, "PE/EFI application; give");
  check_refused({"run", "--firmware", volume}, "firmware volume; give");
  check_refused({"run", "--firmware", "/no/such/file"}, "/no/such/file");
  check_refused({"run", "hello", "--firmware", rom}, "boots by itself");
  // What can be reset into runs: this one leaves with 0.
  CHECK(run_vitrine({"run", "--firmware", rom}).exit_code == 0);
}

TEST_CASE("every command has help, and completion knows every command and panel", "[program]") {
  const auto completion = run_vitrine({"completion", "bash"});
  CHECK(completion.exit_code == 0);
  for (const ui::CommandRow& row : ui::commands()) {
    INFO(row.name);
    const auto help = run_vitrine({"help", std::string(row.name)});
    CHECK(help.exit_code == 0);
    CHECK(help.output.find(row.example) != std::string::npos);
    CHECK(completion.output.find(std::string(row.name) + ") first=") != std::string::npos);
  }
  for (const ui::PanelRow& row : ui::panels()) {
    CHECK(completion.output.find(row.name) != std::string::npos);
  }
  const auto expressions = run_vitrine({"help", "expressions"});
  CHECK(expressions.output.find("hypercall(0x42).enter") != std::string::npos);
}

TEST_CASE("a budget that runs out is exit code 4, a condition that never holds is not 0",
          "[program]") {
  if (!test::have_image("hello")) return;
  CHECK(run_vitrine({"run", "hello", "--serial", "null", "--max-cycles", "1000"}).exit_code == 4);
  CHECK(run_vitrine({"run", "hello", "--serial", "null"}).exit_code == 0);
  const auto never =
      run_vitrine({"show", "registers", "hello", "--until", "serial(\"no such words\")"});
  CHECK(never.exit_code == 1);
  CHECK(never.errors.find("never held") != std::string::npos);
}

TEST_CASE("the README has the picture and the state hash of the tour", "[program]") {
  if (!test::have_image("tour") || !test::have_image("vitrine-hv")) return;
  const std::string picture = (std::filesystem::temp_directory_path() / "readme-tour.svg").string();
  const auto result = run_vitrine({"run", "tour", "--serial", "null", "--svg", picture});
  CHECK(result.exit_code == 0);
  CHECK((result.output + result.errors).find("this is the README's state_hash") !=
        std::string::npos);
  CHECK(text_of(picture) == text_of("docs/tour.svg"));
  std::filesystem::remove(picture);
  const auto other = run_vitrine({"run", "tour", "--serial", "null", "--seed", "2"});
  CHECK((other.output + other.errors).find("the README's state_hash is 0x") != std::string::npos);
}

TEST_CASE("the processor of a panel can be chosen", "[program]") {
  if (!test::have_image("hello")) return;
  for (const std::string processor : {"0", "1"}) {
    const auto result =
        run_vitrine({"show", "registers", "hello", "--smp", "2", "--processor", processor});
    CHECK(result.exit_code == 0);
    CHECK(result.output.rfind("processor " + processor + " at cycle", 0) == 0);
  }
}

TEST_CASE("every panel of a real run is text, and JSON with a schema", "[program]") {
  if (!test::have_image("hello")) return;
  for (const ui::PanelRow& row : ui::panels()) {
    INFO(row.name);
    const std::vector<std::string> arguments = {"show", std::string(row.name), "hello", "--until",
                                                "serial(\"hello\")"};
    const auto text = run_vitrine(arguments);
    CHECK(text.exit_code == 0);
    CHECK(!text.output.empty());
    auto with_json = arguments;
    with_json.emplace_back("--json");
    const auto parsed = nlohmann::json::parse(run_vitrine(with_json).output, nullptr, false);
    REQUIRE_FALSE(parsed.is_discarded());
    CHECK(parsed["schema"] == ui::kSchema);
    CHECK(parsed["panel"] == row.name);
  }
}

TEST_CASE("serial output goes to a file, and a trace reads back", "[program]") {
  if (!test::have_image("hello")) return;
  const test::TemporaryFolder folder("program_test");
  const auto serial = folder / "serial.txt";
  const auto trace = folder / "run.vtr";
  const auto run =
      run_vitrine({"run", "hello", "--serial", serial.string(), "--trace", trace.string()});
  CHECK(run.exit_code == 0);
  CHECK(run.output.find("hello from long mode") == std::string::npos);
  CHECK(text_of(serial).find("hello from long mode") != std::string::npos);
  const auto listed = run_vitrine({"trace", "grep", "state_hash", trace.string()});
  CHECK(listed.exit_code == 0);
  CHECK(listed.output.find("end") != std::string::npos);
  CHECK(run_vitrine({"trace", "grep", "cycle < 0", trace.string()}).exit_code == 1);
  const std::string whole = text_of(trace);
  emu::host::write_file(trace, std::string_view(whole).substr(0, whole.size() - 3));
  const auto cut = run_vitrine({"trace", "stat", trace.string()});
  CHECK(cut.exit_code == 0);
  CHECK(cut.output.find("cut short") != std::string::npos);
}

TEST_CASE("the version names the program's and those of the timing levels", "[program]") {
  const auto version = run_vitrine({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.output.find("vitrine ") == 0);
  for (const char* level : {"count", "core", "memory"}) {
    CHECK(version.output.find("--timing " + std::string(level) + ": version ") !=
          std::string::npos);
  }
}

TEST_CASE("doctor shows the source of every timing parameter, and what is assumed", "[program]") {
  const auto json =
      nlohmann::json::parse(run_vitrine({"doctor", "--timing", "--json"}).output, nullptr, false);
  REQUIRE(json.is_object());
  for (const char* profile : {"skylake-sp", "zen4-core"}) {
    INFO(profile);
    const auto& core = json["profiles"][profile];
    CHECK(core["parameters"].size() > 60);
    for (const auto& row : core["parameters"]) {
      INFO(row["name"]);
      CHECK_FALSE(row["source"].get<std::string>().empty());
    }
    // x87 has no measured lines; additions have.
    const auto& assumed = core["assumed_instructions"];
    CHECK(std::find(assumed.begin(), assumed.end(), "fadd") != assumed.end());
    CHECK(std::find(assumed.begin(), assumed.end(), "add") == assumed.end());
  }
  const auto text = run_vitrine({"doctor", "--timing"});
  CHECK(text.exit_code == 0);
  CHECK(text.output.find("dram_latency") != std::string::npos);
}

TEST_CASE("doctor lists every hypercall as implemented or not", "[program]") {
  const auto parsed =
      nlohmann::json::parse(run_vitrine({"doctor", "--tlfs", "--json"}).output, nullptr, false);
  REQUIRE_FALSE(parsed.is_discarded());
  bool finalize = false;
  bool switch_alias = true;
  for (const auto& row : parsed["hypercalls"]) {
    if (row["code"] == 0x42) finalize = row["implemented"];
    if (row["code"] == 0x06) switch_alias = row["implemented"];
  }
  CHECK(finalize);
  CHECK_FALSE(switch_alias);
}

TEST_CASE("linux without apt says in one sentence which files to give", "[program]") {
  const test::TemporaryFolder folder("no_apt");
  const auto result = emu::host::run_process({"env", "PATH=" + (folder / "nothing").string(),
                                              "XDG_CACHE_HOME=" + (folder / "c").string(),
                                              test::vitrine_program().string(), "run", "linux"});
  CHECK(result.exit_code == 2);
  CHECK(std::count(result.errors.begin(), result.errors.end(), '\n') == 1);
  CHECK(result.errors.find("--kernel FILE --initrd FILE") != std::string::npos);
}

TEST_CASE("explanations come as JSON too", "[program]") {
  const std::vector<std::vector<std::string>> all = {
      {"explain", "call", "0x68"}, {"explain", "status", "0x11"}, {"explain", "exit", "hlt"}};
  for (auto arguments : all) {
    INFO(arguments[1]);
    arguments.emplace_back("--json");
    const auto parsed = nlohmann::json::parse(run_vitrine(arguments).output, nullptr, false);
    REQUIRE_FALSE(parsed.is_discarded());
    CHECK(parsed["schema"] == ui::kSchema);
    CHECK(parsed.contains("name"));
  }
}
