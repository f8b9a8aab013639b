package sandbox

import (
	"context"
	"net"
	"net/http"
	"time"
)

// shutdownGrace is how long requests under way may take when a server stops.
const shutdownGrace = 5 * time.Second

// Listen opens addr, "host:port", for Serve. No host means 127.0.0.1: the
// world gets in only when it is asked in by name, as in "0.0.0.0:8137". Port 0
// takes a free one. No addr at all means DefaultAddr.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(or(addr, DefaultAddr))
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", net.JoinHostPort(or(host, "127.0.0.1"), port))
}

// Serve answers requests on l until ctx ends, then lets those under way finish
// for 5 seconds, but for the ones that a fault holds. It closes l. The error is
// nil when ctx was the reason.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		err := server.Shutdown(grace)
		if err != nil {
			err = server.Close()
		}
		stopped <- err
	})()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return <-stopped
}

// Env returns the environment, as "NAME=value", with which m3import and the
// official SDKs talk to the sandbox at baseURL ("http://127.0.0.1:8137").
func (s *Server) Env(baseURL string) []string {
	return []string{
		"M3TER_BASE_URL=" + baseURL,
		"M3TER_INGEST_URL=" + baseURL,
		"M3TER_ORG_ID=" + s.config.OrgID,
		"M3TER_API_KEY=" + s.config.Key,
		"M3TER_API_SECRET=" + s.config.Secret,
	}
}
