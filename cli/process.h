// What the program asks of its own process before anything else.
#pragma once

namespace kite {

// Gives descriptors 0, 1 and 2 an owner if they came closed (otherwise the guest's RAM or a disk
// image would become "stdout"), and turns the signals for a gone reader and for the file size limit
// into errors of write().
void prepare_process();

// Takes /dev/null for stdin.
void forget_stdin();

}  // namespace kite
