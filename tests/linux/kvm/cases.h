// The cases of the KVM judge, each a virtual machine or two and what must come of it.
#pragma once

#include <span>

namespace vitrine::test::kvm {

struct Case {
  const char* name;
  void (*run)();           ///< throws Failure
  bool real_mode = false;  ///< a processor of it starts in real mode
};

std::span<const Case> cases();

/// Lets SIGALRM come in `ms` milliseconds, and every so often again if `again`; 0 stops it.
void alarm_in(long ms, bool again = false);

}  // namespace vitrine::test::kvm
