package main

import "sync/atomic"

// tally counts answers since the library was loaded.
type tally struct {
	results, undefined, lost atomic.Int64
	failures                 map[string]*atomic.Int64 // by kind; the map itself never changes
}

var counts = newTally()

func newTally() *tally {
	t := &tally{failures: map[string]*atomic.Int64{}}
	for _, kind := range kinds {
		t.failures[kind] = &atomic.Int64{}
	}
	return t
}

func (t *tally) count(a answer) {
	switch {
	case a.fail != nil:
		t.failures[a.fail.Kind].Add(1)
	case a.result == nil:
		t.undefined.Add(1)
	default:
		t.results.Add(1)
	}
}

// statistics is the document that libopa_statistics gives.
type statistics struct {
	Results     int64            `json:"results"`
	Undefined   int64            `json:"undefined"`
	Failures    map[string]int64 `json:"failures"`
	Lost        int64            `json:"lost"`
	Running     int              `json:"running"`
	Slow        int              `json:"slow"`
	Handles     int              `json:"handles"`
	KeptBytes   int64            `json:"kept_bytes"`
	HeapBytes   uint64           `json:"heap_bytes"`
	MemoryBytes uint64           `json:"memory_bytes"`
	Collections uint64           `json:"collections"`
}

func (t *tally) now() statistics {
	memory := measure(heapBytes, totalBytes, releasedBytes, collections)
	s := statistics{
		Results: t.results.Load(), Undefined: t.undefined.Load(), Lost: t.lost.Load(), Failures: map[string]int64{},
		HeapBytes: memory[0], MemoryBytes: memory[1] - memory[2], Collections: memory[3],
	}
	for kind, number := range t.failures {
		s.Failures[kind] = number.Load()
	}
	seen := map[*values]bool{} // policy sets over other data share theirs
	policies.Range(func(_, p any) bool {
		s.Handles++
		if kept := p.(*policy).values; kept != nil && !seen[kept] {
			seen[kept] = true
			s.KeptBytes += kept.bytes()
		}
		return true
	})
	s.Running, s.Slow = watching.state()
	return s
}
