package main

import (
	"errors"
	"syscall"
)

var errClosed = errors.New("the server closed the connection")

// Plan is what is asked, how often, and for how long. Times are in nanoseconds.
type Plan struct {
	Address     syscall.SockaddrInet4
	Requests    [][]byte
	Connections int
	// IntervalNs is the time between the starts of two requests; 0: each connection sends when its answer is there.
	IntervalNs int64
	WarmUpNs   int64
	MeasureNs  int64
	TimeoutNs  int64
	// SpanNs is how often a report is made; 0: one at the end.
	SpanNs  int64
	Samples int
}

// Generator asks over all its connections from one thread.
type Generator struct {
	plan        Plan
	report      func(Report)
	epoll       int
	connections []connection
	idle        []int
	next        int
	span        *span
	samples     reservoir
	// dueNs is when the next request of an open loop is to be sent.
	dueNs     int64
	measureNs int64
	endNs     int64
	lastNs    int64
}

// Run asks until the plan's end, and hands on the reports.
func Run(plan Plan, report func(Report)) error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	g := &Generator{plan: plan, report: report, epoll: epoll, connections: make([]connection, plan.Connections)}
	for index := range g.connections {
		g.connections[index].buffer = make([]byte, 1<<14)
		if err := g.connections[index].open(epoll, index, &plan.Address); err != nil {
			return err
		}
		g.idle = append(g.idle, index)
	}
	began := now()
	g.samples = reservoir{size: plan.Samples, state: 88172645463325252}
	g.dueNs, g.measureNs, g.endNs = began, began+plan.WarmUpNs, began+plan.WarmUpNs+plan.MeasureNs
	g.span = newSpan(began)
	return g.loop()
}

func (g *Generator) loop() error {
	events := make([]syscall.EpollEvent, 256)
	checkNs, warm := now(), false
	for {
		current := now()
		if !warm && current >= g.measureNs {
			warm, g.span = true, newSpan(current)
		}
		if warm && g.plan.SpanNs > 0 && current-g.span.beganNs >= g.plan.SpanNs && current < g.endNs {
			g.report(g.span.report(current))
			g.span = newSpan(current)
		}
		if current >= checkNs {
			checkNs = current + 100e6
			if err := g.endTooLong(current); err != nil {
				return err
			}
		}
		if err := g.start(current); err != nil {
			return err
		}
		if current >= g.endNs && (g.finished() || current >= g.endNs+g.plan.TimeoutNs) {
			break
		}
		count, err := wait(g.epoll, events, g.pause(current, checkNs))
		if err != nil {
			return err
		}
		for _, event := range events[:count] {
			if err := g.handle(int(event.Fd)); err != nil {
				return err
			}
		}
	}
	g.countUnanswered()
	// What was answered after the end belongs to requests of before it: the span ends where the plan says.
	last := g.span.report(max(g.endNs, g.lastNs))
	last.Samples = g.samples.kept
	g.report(last)
	return nil
}

// start sends what is due on connections that are free.
func (g *Generator) start(current int64) error {
	for len(g.idle) > 0 {
		due := current
		if g.plan.IntervalNs > 0 {
			due = g.dueNs
			if due > current {
				return nil
			}
		}
		if due >= g.endNs {
			return nil
		}
		g.dueNs += g.plan.IntervalNs
		index := g.idle[len(g.idle)-1]
		g.idle = g.idle[:len(g.idle)-1]
		if err := g.send(index, due); err != nil {
			return err
		}
	}
	return nil
}

func (g *Generator) send(index int, dueNs int64) error {
	request := g.next
	g.next = (g.next + 1) % len(g.plan.Requests)
	if err := g.connections[index].send(request, g.plan.Requests[request], dueNs); err != nil {
		return g.lose(index, err)
	}
	return nil
}

// pause is how long nothing has to be done unless something arrives.
func (g *Generator) pause(current, checkNs int64) int64 {
	until := checkNs
	if g.plan.IntervalNs > 0 && len(g.idle) > 0 && g.dueNs < g.endNs {
		until = min(until, g.dueNs)
	}
	return until - current
}

func (g *Generator) handle(index int) error {
	c := &g.connections[index]
	if err := c.flush(); err != nil {
		return g.lose(index, err)
	}
	for {
		more, err := c.receive()
		if err != nil {
			return g.lose(index, err)
		}
		if c.filled > 0 {
			answer, whole, err := parse(c.buffer[:c.filled])
			if err == nil && whole && (c.dueNs == 0 || answer.Size != c.filled || len(c.unsent) > 0) {
				err = errMalformed
			}
			if err != nil {
				return g.lose(index, err)
			}
			if whole {
				return g.answered(index, answer)
			}
		}
		if !more {
			return nil
		}
	}
}

func (g *Generator) answered(index int, answer Answer) error {
	c := &g.connections[index]
	current := now()
	if g.counts(c.dueNs, current) {
		g.lastNs = current
		g.span.latencies.Add(current - c.dueNs)
		g.span.statuses[answer.Status]++
		g.samples.show(c.request, answer.Body)
	}
	c.filled, c.dueNs = 0, 0
	if answer.Close {
		g.idle = append(g.idle, index)
		return g.reopen(index)
	}
	// A closed loop goes on at once: through the list of idle connections it would wait for the others' events.
	if g.plan.IntervalNs == 0 && current < g.endNs {
		return g.send(index, current)
	}
	g.idle = append(g.idle, index)
	return nil
}

// counts says whether an answer is measured: a closed loop counts answers of the time measured, an open loop the
// requests that were due in it, however late their answers are.
func (g *Generator) counts(dueNs, current int64) bool {
	if g.plan.IntervalNs == 0 {
		return current >= g.measureNs && current < g.endNs
	}
	return dueNs >= g.measureNs
}

// lose counts a connection's failure while a request was under way; one that was only kept alive is just renewed.
func (g *Generator) lose(index int, reason error) error {
	due := g.connections[index].dueNs
	if due >= g.measureNs {
		g.span.broken[reason.Error()]++
	}
	if due != 0 {
		g.idle = append(g.idle, index)
	}
	return g.reopen(index)
}

func (g *Generator) reopen(index int) error {
	c := &g.connections[index]
	syscall.Close(c.fd)
	return c.open(g.epoll, index, &g.plan.Address)
}

func (g *Generator) endTooLong(current int64) error {
	for index := range g.connections {
		if due := g.connections[index].dueNs; due != 0 && current-due > g.plan.TimeoutNs {
			if err := g.lose(index, errors.New("no answer in time")); err != nil {
				return err
			}
		}
	}
	return nil
}

// finished says whether nothing is owed any more; a closed loop owes nothing after its end.
func (g *Generator) finished() bool {
	return g.plan.IntervalNs == 0 || (g.dueNs >= g.endNs && len(g.idle) == len(g.connections))
}

func (g *Generator) countUnanswered() {
	if g.plan.IntervalNs == 0 {
		return
	}
	missing := len(g.connections) - len(g.idle)
	for ; g.dueNs < g.endNs; g.dueNs += g.plan.IntervalNs {
		missing++
	}
	if missing > 0 {
		g.span.broken["no answer by the end"] += missing
	}
}
