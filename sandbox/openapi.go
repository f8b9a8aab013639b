package sandbox

import (
	"bytes"
	_ "embed"
	"net/http"

	"github.com/m3import/m3import/internal/jsonx"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI 3.0 document of everything that a sandbox
// serves, as JSON. It is a copy.
func OpenAPI() []byte { return bytes.Clone(openAPI) }

// writeOpenAPI is GET /openapi.json. The document names the server that it was
// fetched from, so that a client which imports it by its address is ready.
func writeOpenAPI(w http.ResponseWriter, r *http.Request) {
	address := jsonx.AppendStringS(nil, here(r))
	answerJSON(w, http.StatusOK, bytes.Replace(openAPI, []byte(`"http://`+DefaultAddr+`"`), address, 1))
}
