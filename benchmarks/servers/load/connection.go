package main

import (
	"syscall"
)

// connection is one kept-alive connection with at most one request under way.
type connection struct {
	fd      int
	buffer  []byte
	filled  int
	unsent  []byte
	request int
	// dueNs is when the request was to be sent; 0 when none is under way.
	dueNs int64
}

// open connects and registers with epoll under its own index.
func (c *connection) open(epoll int, index int, address *syscall.SockaddrInet4) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err = syscall.Connect(fd, address); err == nil {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err == nil {
		// Edge-triggered: one registration for the connection's whole life.
		edge := uint32(1 << 31)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | edge, Fd: int32(index)}
		err = syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event)
	}
	if err != nil {
		syscall.Close(fd)
		return err
	}
	c.fd, c.filled, c.unsent, c.dueNs = fd, 0, nil, 0
	return nil
}

func (c *connection) send(request int, content []byte, dueNs int64) error {
	c.request, c.dueNs, c.unsent = request, dueNs, content
	return c.flush()
}

// flush writes as much as the socket takes; an event tells when it takes more.
func (c *connection) flush() error {
	for len(c.unsent) > 0 {
		n, err := rawWrite(c.fd, c.unsent)
		switch err {
		case 0:
			c.unsent = c.unsent[n:]
		case syscall.EAGAIN:
			return nil
		case syscall.EINTR:
		default:
			return err
		}
	}
	return nil
}

// receive reads what is there; more is true when another read may find something.
func (c *connection) receive() (more bool, err error) {
	if c.filled == len(c.buffer) {
		c.buffer = append(c.buffer, make([]byte, len(c.buffer))...)
	}
	n, code := rawRead(c.fd, c.buffer[c.filled:])
	switch {
	case code == syscall.EAGAIN:
		return false, nil
	case code == syscall.EINTR:
		return true, nil
	case code != 0:
		return false, code
	case n == 0:
		return false, errClosed
	}
	c.filled += n
	return c.filled == len(c.buffer), nil
}
