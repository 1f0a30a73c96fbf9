package main

// Sample is one answer that was kept, to be held against what is right.
type Sample struct {
	Request int    `json:"request"`
	Body    string `json:"body"`
}

// Report is what one span of time measured. A latency begins when its request was to be sent.
type Report struct {
	Seconds   float64        `json:"seconds"`
	Answered  int            `json:"answered"`
	PerSecond float64        `json:"per_second"`
	Statuses  map[int]int    `json:"statuses"`
	Broken    map[string]int `json:"broken"`
	P50Ms     float64        `json:"p50_ms"`
	P99Ms     float64        `json:"p99_ms"`
	MaxMs     float64        `json:"max_ms"`
	// CPU is the share of one processor that the generator itself took.
	CPU     float64  `json:"cpu"`
	Samples []Sample `json:"samples"`
}

// span collects what is measured until it is reported.
type span struct {
	beganNs   int64
	cpuNs     int64
	latencies Histogram
	statuses  [600]int
	broken    map[string]int
}

func newSpan(nowNs int64) *span {
	return &span{beganNs: nowNs, cpuNs: usedCPU(), broken: map[string]int{}}
}

func (s *span) report(nowNs int64) Report {
	statuses := map[int]int{}
	for status, count := range s.statuses {
		if count > 0 {
			statuses[status] = count
		}
	}
	seconds := float64(nowNs-s.beganNs) / 1e9
	return Report{
		Seconds:   seconds,
		Answered:  int(s.latencies.total),
		PerSecond: float64(s.latencies.total) / seconds,
		Statuses:  statuses,
		Broken:    s.broken,
		P50Ms:     s.latencies.QuantileMs(0.5),
		P99Ms:     s.latencies.QuantileMs(0.99),
		MaxMs:     float64(s.latencies.max) / 1e6,
		CPU:       float64(usedCPU()-s.cpuNs) / 1e9 / seconds,
	}
}

// reservoir keeps a uniform sample of all answers that it is shown (Vitter, algorithm R).
type reservoir struct {
	kept  []Sample
	size  int
	shown uint64
	state uint64
}

func (r *reservoir) show(request int, body []byte) {
	r.shown++
	if len(r.kept) < r.size {
		r.kept = append(r.kept, Sample{request, string(body)})
		return
	}
	// xorshift: a sample need not be secret, only spread out.
	r.state ^= r.state << 13
	r.state ^= r.state >> 7
	r.state ^= r.state << 17
	if place := r.state % r.shown; place < uint64(r.size) {
		r.kept[place] = Sample{request, string(body)}
	}
}
