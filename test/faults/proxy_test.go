// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"time"
)

// slowEtcd is between the API server and etcd, and delays what they tell each other.
var slowEtcd proxy

// proxy forwards connections to a socket.
type proxy struct {
	target string
	// delay of each direction, in nanoseconds.
	delay atomic.Int64
}

// start listens on another socket beside the target until the process ends, and returns it.
func (p *proxy) start(target string) (string, error) {
	p.target = target
	socket := filepath.Join(filepath.Dir(target), "slow.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.forward(conn)
		}
	}()
	return socket, nil
}

// setRoundTrip sets how long a request and its response are on the way together.
func (p *proxy) setRoundTrip(d time.Duration) { p.delay.Store(int64(d / 2)) }

// forward connects a client to the target until either of them closes the connection.
func (p *proxy) forward(client net.Conn) {
	server, err := net.Dial("unix", p.target)
	if err != nil {
		_ = client.Close() // It sees that the target is away.
		return
	}
	go p.pipe(client, server)
	p.pipe(server, client)
}

// pipe copies from one side to the other, each part after the delay, and closes both at the end.
func (p *proxy) pipe(to, from net.Conn) {
	type part struct {
		data []byte
		due  time.Time
	}
	const room, size = 256, 32 << 10
	parts := make(chan part, room)
	go func() {
		defer close(parts)
		buffer := make([]byte, size)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				parts <- part{append([]byte{}, buffer[:n]...), time.Now().Add(time.Duration(p.delay.Load()))}
			}
			if err != nil {
				return
			}
		}
	}()
	for next := range parts {
		if wait := time.Until(next.due); wait > 0 {
			<-time.After(wait)
		}
		if _, err := to.Write(next.data); err != nil {
			_ = from.Close() // Ends the reader, whose parts nobody needs any more.
		}
	}
	_, _ = to.Close(), from.Close()
}
