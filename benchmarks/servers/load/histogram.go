package main

import "math/bits"

// subBits is the binary digits kept of a value below its first one: a quantile read off is off by at most 1/64.
const subBits = 6

// Histogram counts durations in nanoseconds, in buckets whose width grows with the value.
type Histogram struct {
	counts [(64 - subBits) << subBits]uint64
	total  uint64
	max    int64
}

// Add counts one duration.
func (h *Histogram) Add(ns int64) {
	h.counts[bucket(ns)]++
	h.total++
	h.max = max(h.max, ns)
}

// QuantileMs is the duration, in milliseconds, that a share q of all does not exceed; 0 when nothing was counted.
func (h *Histogram) QuantileMs(q float64) float64 {
	wanted := uint64(q * float64(h.total))
	var seen uint64
	for index, count := range h.counts {
		seen += count
		if seen > wanted {
			return float64(min(middle(index), h.max)) / 1e6
		}
	}
	return float64(h.max) / 1e6
}

// Values below 2^subBits have a bucket each; above, a bucket is the exponent and the next subBits digits.
func bucket(ns int64) int {
	value := uint64(max(ns, 0))
	if value < 1<<subBits {
		return int(value)
	}
	shift := bits.Len64(value) - subBits - 1
	return (shift+1)<<subBits | int(value>>shift)&(1<<subBits-1)
}

func middle(index int) int64 {
	if index < 1<<subBits {
		return int64(index)
	}
	shift := index>>subBits - 1
	low := int64(1<<subBits|index&(1<<subBits-1)) << shift
	return low + int64(1)<<shift/2
}
