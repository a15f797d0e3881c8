// HaltWatch: finds out that nothing will ever wake a machine whose accelerator waits for the end of
// HLT within itself (Accelerator::chips): there, no vCPU comes out to say that it halted for good.
//
// It looks at intervals, on the I/O loop's thread. The cheap look is how much processor time each
// vCPU's thread has used: one system call for each. If none has used any since the last look, all
// have been waiting meanwhile, and only then are they parked and asked what for. The guest's timer
// ticks are use, so a guest that merely idles is hardly disturbed. Parking is use, too; the next
// look comes soon after it and only takes note. What happens between the two goes unseen, so that
// they are asked again after a long while of standing still, and a longer one the next time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "machine/processor.h"

namespace kite {

class HaltWatch {
 public:
  // `dead` is called when every processor waits for what only another processor could send.
  HaltWatch(Clock& clock, const std::vector<std::unique_ptr<Processor>>& processors,
            std::function<void()> dead);
  // When the vCPUs' threads have started. From then on until stop() is called, the loop's thread
  // parks and resumes them.
  void start();
  void stop() { timer_.disarm(); }

 private:
  void look();
  bool used_time();
  void judge();
  bool is_dead();

  Clock& clock_;
  const std::vector<std::unique_ptr<Processor>>& processors_;
  std::function<void()> dead_;
  std::vector<Nanos> used_;  // by each thread, at the last look
  enum class Phase {
    kWatching,
    kSettling,  // were asked a moment ago
    kJudged,    // stand still since they were asked
  };
  Phase phase_ = Phase::kWatching;
  Nanos interval_;
  Nanos patience_ = 0;  // how long to let them stand still until they are asked again
  Nanos judged_ = 0;    // when they were asked
  Timer timer_;
};

}  // namespace kite
