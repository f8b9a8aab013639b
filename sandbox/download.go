package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// downloadLife is how long a presigned address is good for.
const downloadLife = 5 * time.Minute

// signer makes addresses that prove by themselves that they may be read.
type signer struct{ key [sha256.Size]byte }

func newSigner() *signer {
	s := new(signer)
	rand.Read(s.key[:])
	return s
}

func (s *signer) sign(id string, expires int64) string {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(id + " " + strconv.FormatInt(expires, 10)))
	return hex.EncodeToString(mac.Sum(nil))
}

// downloadURL is GET …/measurements/failedIngest/getDownloadUrl.
func (s *Server) downloadURL(w http.ResponseWriter, r *http.Request) {
	file, now := r.URL.Query().Get("file"), s.clock.now()
	if file == "" {
		refuse(w, r, http.StatusBadRequest, "file: is required; an event has it")
		return
	}
	id, _ := strings.CutSuffix(path.Base(file), ".json")
	e, ok := s.events.get(id, now)
	if !ok || s.eventAnswer(e, r).Event.File != file {
		refuse(w, r, http.StatusNotFound, "Not Found: no file "+strconv.Quote(file))
		return
	}
	expires := now.Add(downloadLife).Unix()
	query := url.Values{"expires": {strconv.FormatInt(expires, 10)}, "signature": {s.signer.sign(id, expires)}}
	answer(w, http.StatusOK, struct {
		URL string `json:"url"`
	}{here(r) + "/_sandbox/files/" + id + "?" + query.Encode()})
}

// download serves the file of a presigned address, without a token. In life it
// is not m3ter that does, but the object store.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	id, query, now := r.PathValue("id"), r.URL.Query(), s.clock.now()
	expires, _ := strconv.ParseInt(query.Get("expires"), 10, 64)
	switch e, ok := s.events.get(id, now); {
	case !hmac.Equal([]byte(query.Get("signature")), []byte(s.signer.sign(id, expires))):
		refuse(w, r, http.StatusForbidden, "Forbidden: the signature is wrong")
	case now.Unix() >= expires:
		refuse(w, r, http.StatusForbidden, "Forbidden: the address expired at "+time.Unix(expires, 0).UTC().Format(time.RFC3339))
	case !ok:
		refuse(w, r, http.StatusNotFound, "Not Found: the file is gone")
	default:
		answerJSON(w, http.StatusOK, e.file)
	}
}

// here is the address at which the client has found the sandbox.
func here(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
