package uploader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestBatchSmoke(t *testing.T) {
	var b Batch
	if err := b.Add([]byte(`{"a":1}`), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(b.Body()), `{"measurements":[{"a":1},{}]}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	_ = errors.Is
	_ = json.Valid
	_ = fmt.Sprint
	_ = rand.N[int]
	_ = bytes.Equal
}
