package main

import (
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// shelf is a map that forgets some of what it has rather than to hold more than a number of bytes.
type shelf struct {
	lock        sync.RWMutex
	items       map[string]item
	held, limit int64
}

type item struct {
	value any
	cost  int64
}

func newShelf(limit int64) *shelf { return &shelf{items: map[string]item{}, limit: limit} }

func (s *shelf) bytes() int64 {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.held
}

// room is the limit, and no more than an eighth of the heap's ceiling: what is kept must not shut the door.
func (s *shelf) room() int64 {
	if memory.isSet() {
		return min(s.limit, memory.ceiling.Load()/8)
	}
	return s.limit
}

func (s *shelf) takes(cost int64) bool { return cost <= s.room() }

func (s *shelf) Get(key ast.Value) (any, bool) {
	text, ok := key.(ast.String)
	if !ok {
		return nil, false
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	found, ok := s.items[string(text)]
	return found.value, ok
}

// put makes room, if there must be, at the cost of any others: what is used will be back.
func (s *shelf) put(key string, value any, cost int64) (dropped int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.drop(key)
	for other := range s.items {
		if s.held+cost <= s.room() {
			break
		}
		s.drop(other)
		dropped++
	}
	s.items[strings.Clone(key)] = item{value, cost}
	s.held += cost
	return dropped
}

func (s *shelf) Delete(key ast.Value) {
	if text, ok := key.(ast.String); ok {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.drop(string(text))
	}
}

func (s *shelf) drop(key string) {
	s.held -= s.items[key].cost
	delete(s.items, key)
}

// priced is a shelf for what is a copy already, and has a price.
type priced struct {
	*shelf
	price func(key ast.String) int64
}

func (p priced) Insert(key ast.Value, value any) int {
	text, ok := key.(ast.String)
	if !ok {
		return 0
	}
	if cost := p.price(text); cost > 0 && p.takes(cost) {
		return p.put(string(text), value, cost)
	}
	return 0
}
