package uploader

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSubmitSmoke(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			w.Write([]byte(`{"access_token":"tok-123456","expires_in":18000,"token_type":"Bearer"}`))
			return
		}
		w.Write([]byte(`{"result":"accepted"}`))
	}))
	defer srv.Close()
	c, err := New(Config{BaseURL: srv.URL, OrgID: "org"}, Credentials{Key: "key1", Secret: "secret1"})
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	b.Add([]byte(`{}`))
	if _, err := c.Submit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c.Stats())
}
