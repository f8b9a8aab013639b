package sandbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// fullBody is a request of 1,000 measurements of an everyday shape, 330 bytes
// each, for ten accounts. Its uids begin with from.
func fullBody(from int) []byte {
	var b strings.Builder
	for i := range sandbox.MaxItems {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"uid":"%08d-7e5c-5d0e-a8a5-3f5a2f0f%04d","meter":"object_storage","account":"customer-%04d",`+
			`"ts":"2024-05-01T12:%02d:%02d.123Z","who":{"user":"u-%d"},"what":{"class":"STANDARD","operation":"PUT"},"where":{"region":"eu-west-1"},`+
			`"measure":{"requests":%d,"gb":%d.%06d},"cost":{"billed":0.%010d}}`,
			from, i, i%10, i/60%60, i%60, i, i*7, i, i, i)
	}
	return []byte(envelope(b.String()))
}

// direct sends a request past HTTP.
func direct(h http.Handler, token string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", orgPath+"/measurements", bytes.NewReader(body))
	r.Header.Set("User-Agent", "bench")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func BenchmarkSubmit(b *testing.B) {
	for _, discard := range []bool{false, true} {
		b.Run(fmt.Sprintf("discard=%v", discard), func(b *testing.B) {
			p := start(b, sandbox.Config{Discard: discard})
			body := fullBody(0)
			uids := bytes.Split(body, []byte(`"uid":"`))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				for _, uid := range uids[1:] { // views of body
					copy(uid, fmt.Appendf(nil, "%08d", n))
				}
				if w := direct(p.Server, p.token, bytes.Join(uids, []byte(`"uid":"`))); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(n*sandbox.MaxItems)/b.Elapsed().Seconds(), "measurements/s")
		})
	}
}
