// Command load asks an HTTP/1.1 server on this machine as fast as it answers, or at a constant rate, and writes what
// it measured as lines of JSON. One thread, one epoll: it has to be cheaper than any server that it measures.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

func main() {
	port := flag.Int("port", 0, "the server's port on 127.0.0.1")
	requests := flag.String("requests", "", "file of whole HTTP requests, each behind its length (32 bits, little endian)")
	connections := flag.Int("connections", 1, "connections, each with one request at a time")
	rate := flag.Float64("rate", 0, "requests a second, at a constant rate (0: as fast as they are answered)")
	warmUp := flag.Duration("warm-up", 0, "time before anything is counted")
	measure := flag.Duration("time", time.Second, "time that is counted")
	timeout := flag.Duration("timeout", 10*time.Second, "time after which an answer is given up")
	span := flag.Duration("span", 0, "report so often (0: once, at the end)")
	samples := flag.Int("samples", 0, "answers kept in the last report")
	flag.Parse()
	contents, err := read(*requests)
	if err == nil {
		plan := Plan{
			Address:     syscall.SockaddrInet4{Port: *port, Addr: [4]byte{127, 0, 0, 1}},
			Requests:    contents,
			Connections: *connections,
			WarmUpNs:    int64(*warmUp),
			MeasureNs:   int64(*measure),
			TimeoutNs:   int64(*timeout),
			SpanNs:      int64(*span),
			Samples:     *samples,
		}
		if *rate > 0 {
			plan.IntervalNs = int64(1e9 / *rate)
		}
		// Nothing is allocated for a request, so nothing has to be collected.
		debug.SetGCPercent(-1)
		runtime.LockOSThread()
		wakeSharply()
		output := json.NewEncoder(os.Stdout)
		err = Run(plan, func(report Report) {
			if err := output.Encode(report); err != nil {
				fmt.Fprintln(os.Stderr, "load:", err)
			}
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func read(path string) ([][]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(content) >= 4 {
		size := int(binary.LittleEndian.Uint32(content))
		if len(content) < 4+size {
			break
		}
		found = append(found, content[4:4+size])
		content = content[4+size:]
	}
	if len(content) > 0 || len(found) == 0 {
		return nil, errors.New(path + " is no list of requests")
	}
	return found, nil
}
