package main

import (
	"reflect"
	"testing"
)

func TestAnswersAreCountedByWhatTheyAre(t *testing.T) {
	counted := newTally()
	counted.count(answer{result: []byte("null")})
	counted.count(answer{})
	counted.count(answer{})
	counted.count(answer{fail: lost})
	counted.count(answer{fail: crowded})
	got := counted.now()
	want := statistics{
		Results: 1, Undefined: 2, Handles: got.Handles, Running: got.Running, Slow: got.Slow, KeptBytes: got.KeptBytes,
		Failures:  map[string]int64{"deadline": 1, "evaluation": 0, "input": 0, "memory": 1, "overloaded": 0, "withdrawn": 0, "internal": 0},
		HeapBytes: got.HeapBytes, MemoryBytes: got.MemoryBytes, Collections: got.Collections,
	}
	if !reflect.DeepEqual(got, want) || got.HeapBytes == 0 || got.MemoryBytes < got.HeapBytes {
		t.Errorf("%+v", got)
	}
}

func TestWhatPolicySetsShareIsCountedOnce(t *testing.T) {
	before, shared := counts.now().KeptBytes, newValues()
	shared.patterns.put("a", "a", 100)
	for _, p := range []*policy{{values: shared}, {values: shared}} {
		handle := int64(keep(p))
		defer policies.Delete(handle)
	}
	if kept := counts.now().KeptBytes - before; kept != 100 {
		t.Errorf("%d bytes", kept)
	}
}

func TestARandomHandleFindsNothing(t *testing.T) {
	handle := int64(keep(&policy{}))
	defer policies.Delete(handle)
	for _, forged := range []int64{0, 1, -1, handle + 1, handle - 1, -handle} {
		if _, fail := policyOf(forged); fail == nil || fail.Message != "no such handle" {
			t.Errorf("%d: %+v", forged, fail)
		}
	}
	if p, fail := policyOf(handle); p == nil || fail != nil {
		t.Errorf("%+v", fail)
	}
}
