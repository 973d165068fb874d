package main

/*
#include "libopa.h"
*/
import "C"

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxSources bounds the Rego of a policy set: what OPA makes of it takes some hundred times as much.
const maxSources = C.LIBOPA_MAX_SOURCES

// making is how all policy sets of the process are made. OPA has no way to stop a compilation, so one that takes too long is
// given up: it goes on by itself, and what it makes is dropped.
var making = maker{limit: time.Minute, maxLost: 2}

type maker struct {
	limit   time.Duration
	maxLost int64
	lost    atomic.Int64 // that were given up and still go on
}

type outcome struct {
	made     *policy
	problems []problem
}

// within makes a policy, in time or not at all.
func (m *maker) within(from func() (*policy, []problem)) (*policy, []problem) {
	if m.lost.Load() >= m.maxLost {
		return nil, []problem{{Code: kindDeadline, Message: "policy sets that took too long are still being compiled"}}
	}
	done := begun(from)
	alarm := time.NewTimer(m.limit)
	defer alarm.Stop()
	select {
	case o := <-done:
		return o.made, o.problems
	case <-alarm.C:
		m.lost.Add(1)
		go func() {
			<-done
			m.lost.Add(-1)
		}()
		return nil, []problem{{Code: kindDeadline, Message: fmt.Sprintf("the policy set is not compiled after %v", m.limit)}}
	}
}

// begun makes a policy beside its caller. The channel has room, so that nobody need wait for it.
func begun(from func() (*policy, []problem)) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.problems = safely(func() (problems []problem) {
			o.made, problems = from()
			return problems
		})
		done <- o
	}()
	return done
}
