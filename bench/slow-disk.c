// A disk that takes its time: fsync and fdatasync do their work and then sleep SLOW_DISK_MICROSECONDS more.
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec delay;

__attribute__((constructor)) static void read_delay(void) {
  const char *text = getenv("SLOW_DISK_MICROSECONDS");
  long microseconds = text ? atol(text) : 0;
  delay.tv_sec = microseconds / 1000000;
  delay.tv_nsec = microseconds % 1000000 * 1000;
}

static int delayed(long result) {
  int error = errno;
  struct timespec left = delay;
  while (nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
  errno = error;
  return (int)result;
}

int fsync(int fd) { return delayed(syscall(SYS_fsync, fd)); }

int fdatasync(int fd) { return delayed(syscall(SYS_fdatasync, fd)); }
