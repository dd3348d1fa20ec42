// SPDX-License-Identifier: Apache-2.0

package figures

import "time"

// Fan is the report of the subscribers.
type Fan struct {
	Operation           string  `json:"op"`
	Endpoint            string  `json:"endpoint"`
	Size                int     `json:"size"`
	Subscribers         int     `json:"subs"`
	Count               int     `json:"count"`
	Seconds             float64 `json:"seconds"`
	DeliveriesPerSecond float64 `json:"deliveries_per_s"`
	Lost                int     `json:"lost"`
	AllSeconds          float64 `json:"all_seconds"`
	AllPerSecond        float64 `json:"all_per_s"`
	CPU
}

// Summarize fills in the rate of deliveries that came within elapsed.
func (f *Fan) Summarize(deliveries float64, elapsed time.Duration) {
	if deliveries < 0 || elapsed <= 0 {
		return
	}
	f.Seconds = elapsed.Seconds()
	f.DeliveriesPerSecond = deliveries / f.Seconds
}

// SummarizeAll fills in the rate of all deliveries but the first, which begins elapsed. Unlike the other rate it counts none
// that came before its time.
func (f *Fan) SummarizeAll(deliveries float64, elapsed time.Duration) {
	if deliveries <= 1 || elapsed <= 0 {
		return
	}
	f.AllSeconds = elapsed.Seconds()
	f.AllPerSecond = (deliveries - 1) / f.AllSeconds
}

// Echo is the report of the side that asks.
type Echo struct {
	Operation       string  `json:"op"`
	Endpoint        string  `json:"endpoint"`
	Count           int     `json:"count"`
	Each            int     `json:"each"`
	Seconds         float64 `json:"seconds"`
	EchoesPerSecond float64 `json:"echoes_per_s"`
	CPU
}

// Summarize fills in the rate of the echoes that came within elapsed.
func (e *Echo) Summarize(elapsed time.Duration) {
	e.Seconds = elapsed.Seconds()
	e.EchoesPerSecond = float64(e.Count*e.Each) / e.Seconds
}
