// Bell: wakes one thread that sleeps.
#pragma once

#include <memory>

#include "base/types.h"

namespace kite {

// A wait is one system call where the host has futexes, also when its time runs out; a condition
// variable makes a second one then, for its mutex. Ringing makes none unless the thread sleeps.
class Bell {
 public:
  Bell();
  ~Bell();

  // Any thread. Counts once however often it comes, and is kept until the next wait().
  void ring();
  // Sleeps until the bell rings, for `timeout` (kNever: however long) at most. False: it has not
  // rung; a signal handler may end the wait too early.
  bool wait(Nanos timeout);

 private:
  struct Host;
  std::unique_ptr<Host> host_;
};

}  // namespace kite
