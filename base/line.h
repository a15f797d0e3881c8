// Line: the near end of a wire that a chip drives, an interrupt request for example.
#pragma once

#include <functional>
#include <utility>

namespace kite {

// A Line drives one sink; several sinks share one wire by a sink that fans out. A default Line is
// not connected. The chip at the near end calls it with its own lock held: locks are taken from
// source to sink, so a sink never calls back into its source.
class Line {
 public:
  using Sink = std::function<void(bool level)>;

  Line() = default;
  explicit Line(Sink sink) : sink_(std::move(sink)) {}

  void set(bool level) const {
    if (sink_) sink_(level);
  }
  void raise() const { set(true); }
  void lower() const { set(false); }
  void pulse() const {
    set(true);
    set(false);
  }

 private:
  Sink sink_;
};

}  // namespace kite
