// Outcome<T>: what a hypercall handler answers, a value or the status the guest gets.
#pragma once

#include "hv/tlfs/status.h"
#include "hv/tlfs/types.h"

namespace vitrine::hv {

using tlfs::Status;

template <class T>
class [[nodiscard]] Outcome {
 public:
  constexpr Outcome(T value) : value_(value) {}
  constexpr Outcome(Status status) : status_(status) {}

  constexpr explicit operator bool() const { return status_ == Status::success; }
  constexpr const T& operator*() const { return value_; }
  constexpr const T* operator->() const { return &value_; }
  constexpr Status status() const { return status_; }
  // The call is not finished: it is to be executed again. Only continuable calls say so.
  static constexpr Outcome again() {
    Outcome outcome{Status::success};
    outcome.again_ = true;
    return outcome;
  }
  constexpr bool is_again() const { return again_; }

 private:
  T value_{};
  Status status_ = Status::success;
  bool again_ = false;
};

using Done = Outcome<tlfs::Nothing>;
inline constexpr tlfs::Nothing kDone{};

}  // namespace vitrine::hv
