package main

import (
	"syscall"
	"time"
	"unsafe"
)

// Calls that never block need not tell Go's scheduler of themselves; that is a fifth of a request's price.

func rawRead(fd int, buffer []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
	return int(n), err
}

func rawWrite(fd int, content []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&content[0])), uintptr(len(content)))
	return int(n), err
}

// epollPwait2 has one number on all architectures; unlike epoll_wait it takes nanoseconds (Linux 5.11).
const epollPwait2 = 441

func wait(epoll int, events []syscall.EpollEvent, timeoutNs int64) (int, error) {
	timeout := syscall.NsecToTimespec(max(timeoutNs, 0))
	n, _, err := syscall.RawSyscall6(
		epollPwait2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0,
	)
	if err == syscall.EINTR {
		return 0, nil
	}
	if err != 0 {
		return 0, err
	}
	return int(n), nil
}

// wakeSharply asks the kernel not to round this thread's timers by its usual 50 microseconds.
func wakeSharply() {
	const setTimerSlack = 29
	syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
}

// usedCPU is this process's processor time so far, in nanoseconds.
func usedCPU() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

var origin = time.Now()

// now is nanoseconds since the program began, plus one so that no time is 0.
func now() int64 { return int64(time.Since(origin)) + 1 }
