package uploader

import "maps"

// Since is what was done between before and s, two Stats of one client.
func (s Stats) Since(before Stats) Stats {
	s.Requests -= before.Requests
	s.Accepted -= before.Accepted
	s.Measurements -= before.Measurements
	s.Refused -= before.Refused
	s.Bisecting -= before.Bisecting
	s.Retries -= before.Retries
	s.Throttled -= before.Throttled
	s.Uncertain -= before.Uncertain
	s.Refreshes -= before.Refreshes
	s.BytesSent -= before.BytesSent
	s.PaceWait -= before.PaceWait
	s.ThrottleWait -= before.ThrottleWait
	s.BackoffWait -= before.BackoffWait
	s.ByStatus = maps.Clone(s.ByStatus)
	for status, n := range before.ByStatus {
		if s.ByStatus[status] -= n; s.ByStatus[status] == 0 {
			delete(s.ByStatus, status)
		}
	}
	return s
}
